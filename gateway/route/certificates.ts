import { anyHost, gatewayController, gatewayGroup, isGranted, type Secret, secretType } from "@shallop/sdk/api";
import type { Cluster } from "./cluster.ts";
import { isOurs } from "./ingress.ts";

/** Which secret has the certificate of a host. */
export interface CertificateName {
  /** Exact, `*.suffix` or `*`. */
  readonly host: string;
  readonly secret: Secret;
}

/** Names a secret. */
export interface SecretName {
  readonly namespace: string;
  readonly name: string;
}

/** The certificate of the platform's own hosts, which the control plane keeps. */
const domainSecret = { namespace: "kube-system", name: "shallop-domain-tls" } as const;

interface Named {
  readonly host: string;
  readonly namespace: string;
  readonly name: string;
  /** Of the object that names it: of two for one host, the older object's counts. */
  readonly createdAt: string;
}

/**
 * The certificates of hosts, as Ingresses, Gateways and DomainMappings name them; one for each host. Hosts of the
 * platform's domain belong to their namespace here, too. Any host without one has that of a Gateway's listener for any host, or the
 * default, or that of the platform's own hosts.
 */
export function certificateNames(cluster: Cluster, otherwise?: SecretName): readonly CertificateName[] {
  const named = [...ofIngresses(cluster), ...ofGateways(cluster), ...ofMappings(cluster)]
    .filter(({ host, namespace }) => (cluster.router.ownerOf(host) ?? namespace) === namespace)
    .toSorted((a, b) => (a.createdAt < b.createdAt ? -1 : Number(a.createdAt > b.createdAt)));
  const secretByHost = new Map<string, Secret>();
  for (const { host, namespace, name } of named) {
    const secret = cluster.object("secrets", namespace, name);
    if (secret?.type === secretType.tls && !secretByHost.has(host)) secretByHost.set(host, secret);
  }
  const own = cluster.object("secrets", domainSecret.namespace, domainSecret.name);
  const domain = `*.${cluster.domain}`;
  if (own !== undefined && !secretByHost.has(domain)) secretByHost.set(domain, own);
  const chosen = otherwise && cluster.object("secrets", otherwise.namespace, otherwise.name);
  const byDefault = chosen?.type === secretType.tls ? chosen : own;
  if (byDefault !== undefined && !secretByHost.has(anyHost)) secretByHost.set(anyHost, byDefault);
  return [...secretByHost].map(([host, secret]) => ({ host, secret }));
}

function ofIngresses(cluster: Cluster): readonly Named[] {
  const classNamed = (name: string) => cluster.object("ingressClasses", "", name);
  return [...cluster.objects("ingresses")]
    .filter((ingress) => isOurs(ingress, classNamed))
    .flatMap(({ metadata, spec }) =>
      (spec?.tls ?? []).flatMap(({ hosts = [], secretName: name }) => {
        const ruled = (spec?.rules ?? []).map(({ host }) => host ?? anyHost);
        const { namespace = "", creationTimestamp: createdAt } = metadata;
        if (name === undefined) return [];
        return (hosts.length === 0 ? ruled : hosts).map((host) => ({
          host: host.toLowerCase(),
          namespace,
          name,
          createdAt,
        }));
      }),
    );
}

function ofGateways(cluster: Cluster): readonly Named[] {
  return [...cluster.objects("gateways")]
    .filter(
      ({ spec }) =>
        cluster.object("gatewayClasses", "", spec.gatewayClassName)?.spec.controllerName === gatewayController,
    )
    .flatMap(({ metadata, spec }) =>
      spec.listeners.flatMap(({ hostname, protocol, tls }) => {
        const [reference] = tls?.certificateRefs ?? [];
        if (protocol !== "HTTPS" || reference === undefined) return [];
        const own = metadata.namespace ?? "";
        const namespace = reference.namespace ?? own;
        const from = { group: gatewayGroup, kind: "Gateway", namespace: own };
        const to = { group: "", kind: "Secret", namespace, name: reference.name };
        if (!isGranted({ from, to }, cluster.objects("referenceGrants"))) return [];
        const host = hostname === undefined || hostname === "" ? anyHost : hostname.toLowerCase();
        return [{ host, namespace, name: reference.name, createdAt: metadata.creationTimestamp }];
      }),
    );
}

const ofMappings = (cluster: Cluster): readonly Named[] =>
  [...cluster.objects("domainMappings")].flatMap(({ metadata, spec }) =>
    spec.tls === undefined
      ? []
      : [
          {
            host: metadata.name.toLowerCase(),
            namespace: metadata.namespace ?? "",
            name: spec.tls.secretName,
            createdAt: metadata.creationTimestamp,
          },
        ],
  );
