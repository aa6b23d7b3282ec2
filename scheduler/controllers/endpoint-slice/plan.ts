import { annotation, type CoreService, type EndpointSlice, type NewObject, type Pod } from "@shallop/sdk/api";
import { controllerReference } from "../shared/ownership.ts";
import { coreServices } from "@shallop/sdk/api";

/** `kubernetes.io/service-name`: by it `kubectl describe service` finds the slices. */
const serviceNameLabel = "kubernetes.io/service-name";
const managedByLabel = "endpointslice.kubernetes.io/managed-by";

export const sliceName = (service: string): string => `${service}-shallop`;

/**
 * The slice of a Service: its pods, and where each of them answers. Undefined for a Service without a selector, whose
 * slices are somebody else's, and for one that stands for a name outside. A pod behind a unix socket has no address of its own: its node's is given.
 */
export function planEndpointSlice(service: CoreService, pods: readonly Pod[]): NewObject<EndpointSlice> | undefined {
  const { namespace = "", name } = service.metadata;
  const selector = Object.entries(service.spec?.selector ?? {});
  if (selector.length === 0 || service.spec?.type === "ExternalName") return undefined;
  const selected = pods
    .filter(({ metadata, status }) => {
      const isSelected = selector.every(([key, value]) => metadata.labels?.[key] === value);
      return isSelected && status?.phase !== "Succeeded" && status?.phase !== "Failed";
    })
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: sliceName(name),
      namespace,
      labels: { [serviceNameLabel]: name, [managedByLabel]: "shallop" },
      ownerReferences: [controllerReference(coreServices, service)],
    },
    addressType: "IPv4",
    endpoints: selected.flatMap((pod) => endpointOf(pod, service)),
    ports: (service.spec?.ports ?? []).map(({ name: port = "", protocol = "TCP", targetPort, port: number }) => ({
      name: port,
      protocol,
      port: typeof targetPort === "string" ? (namedPort(selected, targetPort) ?? number) : (targetPort ?? number),
    })),
  };
}

/** The port that pods call so, as the first that has it says. */
function namedPort(pods: readonly Pod[], wanted: string): number | undefined {
  const ports = pods.flatMap(({ spec }) => spec.containers.flatMap((container) => container.ports ?? []));
  return ports.find(({ name }) => name === wanted)?.containerPort;
}

function endpointOf(pod: Pod, service: CoreService): EndpointSlice["endpoints"] {
  const { hostname, subdomain } = pod.spec;
  const { name, namespace = "", uid, deletionTimestamp, annotations } = pod.metadata;
  const address = pod.status?.podIP ?? pod.status?.hostIP;
  if (address === undefined || annotations?.[annotation.endpoint] === undefined) return [];
  const isReady =
    service.spec?.publishNotReadyAddresses === true ||
    pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;
  const terminating = deletionTimestamp !== undefined;
  return [
    {
      addresses: [address],
      conditions: { ready: isReady && !terminating, serving: isReady, terminating },
      // A name of its own below the Service's, where both ask for it.
      ...(hostname === undefined || subdomain !== service.metadata.name ? {} : { hostname }),
      ...(pod.spec.nodeName === undefined ? {} : { nodeName: pod.spec.nodeName }),
      targetRef: { kind: "Pod", namespace, name, uid },
    },
  ];
}
