import {
  annotation,
  apiVersionOf,
  type Container,
  graceSecondsOf,
  label,
  type NewObject,
  type Pod,
  pods,
  type Revision,
  revisions,
} from "@shallop/sdk/api";
import { type Demand, demandOf, withDefaultRequests } from "../../place/demand.ts";
import { controllerReference } from "../shared/ownership.ts";

/** Knative runtime contract, "Inbound network connectivity": where a container listens that names no port. */
const portDefault = 8080;
/** The one container of a revision's pods. */
export const containerName = "user-container";

/** What a pod of `revision` takes of a node. */
export const demandOfRevision = (revision: Revision): Demand =>
  demandOf({ containers: revision.spec.containers.map(withDefaultRequests) });

/** A pod of `revision`, bound to `node`. */
export function newPod(
  revision: Revision,
  place: { readonly node: string; readonly suffix: string; readonly reason: string },
): NewObject<Pod> {
  const { metadata, spec } = revision;
  const { [label.routingState]: _state, ...labels } = metadata.labels ?? {};
  const {
    [annotation.routes]: _routes,
    [annotation.routingStateModified]: _modified,
    ...annotations
  } = metadata.annotations ?? {};
  const [container = { image: "" }] = spec.containers;
  return {
    apiVersion: apiVersionOf(pods),
    kind: "Pod",
    metadata: {
      name: `${metadata.name}-${place.suffix}`,
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      labels: { ...labels, [label.revision]: metadata.name },
      annotations: { ...annotations, [annotation.placementReason]: place.reason },
      ownerReferences: [controllerReference(revisions, revision)],
    },
    spec: {
      nodeName: place.node,
      restartPolicy: "Always",
      terminationGracePeriodSeconds: graceSecondsOf(spec),
      containers: [servingContainer(revision, container)],
    },
  };
}

function servingContainer(revision: Revision, container: Container): Container {
  const { metadata, status } = revision;
  const labels = metadata.labels ?? {};
  const resolved = status?.containerStatuses?.find(({ name }) => name === (container.name ?? containerName));
  const port = container.ports?.[0]?.containerPort ?? portDefault;
  // Knative runtime contract, "Process": set by the platform, whatever the container says.
  const platform = new Map([
    ["K_SERVICE", labels[label.service] ?? ""],
    ["K_CONFIGURATION", labels[label.configuration] ?? ""],
    ["K_REVISION", metadata.name],
    ["PORT", String(port)],
  ]);
  const own = (container.env ?? []).filter(({ name }) => !platform.has(name));
  return {
    ...withDefaultRequests(container),
    name: containerName,
    image: resolved?.imageDigest ?? container.image,
    env: [...own, ...[...platform].map(([name, value]) => ({ name, value }))],
    ports: [{ name: "user-port", containerPort: port, protocol: "TCP" }],
  };
}
