import { isIP } from "node:net";
import {
  apiService,
  clusterDomain,
  type CoreService,
  type EndpointSlice,
  isServiceAddress,
  type Route,
} from "@shallop/sdk/api";
import type { NameRecords, ServiceRecord } from "../../sandbox/name-answer.ts";

/** What a Service, or a pod of a headless one, is reached by on this node: an address, a port, and who is behind it. */
export interface Door {
  readonly protocol: "TCP" | "UDP";
  readonly address: string;
  readonly port: number;
  readonly backends: readonly Backend[];
  /** Connections of one client go to one backend. */
  readonly sticky: boolean;
  /** The only addresses of pods that come in by it; absent: all. The node itself does. */
  readonly clients?: readonly string[];
}

export type Backend =
  | {
      readonly kind: "pod";
      readonly namespace: string;
      readonly uid: string;
      readonly node: string;
      readonly port: number;
    }
  /** What somebody else has written down beside the cluster. */
  | { readonly kind: "address"; readonly address: string; readonly port: number }
  | ({ readonly kind: "platform" } & PlatformEnd);

/** A part of the platform itself: the gateway, the API server. */
export interface PlatformEnd {
  readonly host: string;
  readonly port: number;
}

export interface ServiceTable {
  readonly names: ReadonlyMap<string, NameRecords>;
  readonly doors: readonly Door[];
}

export interface ServiceWorld {
  readonly services: readonly CoreService[];
  readonly slices: readonly EndpointSlice[];
  readonly routes: readonly Route[];
  readonly apiServer: PlatformEnd;
  /** The address of a pod that its peers on this node may use as it is; undefined: it has none here. */
  readonly ownAddress: (uid: string) => string | undefined;
  /** An address of this node's own that stands for somebody; the same for the same one. */
  readonly standIn: (key: string) => string;
}

/** `kubernetes.io/service-name`: whose slice it is. */
const serviceNameLabel = "kubernetes.io/service-name";
/** A group of ports in one slice. */
type Endpoint = EndpointSlice["endpoints"][number];

/** What pods of this node find by name, and where it leads. Pure, but for stand-ins, which are remembered. */
export function serviceTable(world: ServiceWorld): ServiceTable {
  const names = new Map<string, NameRecords>();
  const doors: Door[] = [];
  for (const route of world.routes) addRoute(route, world, { names, doors });
  const slices = Map.groupBy(world.slices, ({ metadata }) =>
    keyOf(metadata.namespace, metadata.labels?.[serviceNameLabel] ?? ""),
  );
  const apiServer: Backend = { kind: "platform", ...world.apiServer };
  for (const service of world.services) {
    const own = slices.get(keyOf(service.metadata.namespace, service.metadata.name)) ?? [];
    const { clusterIP = "", type } = service.spec ?? {};
    const backends = isApiService(service) ? () => [apiServer] : readyOf(service, own);
    if (type === "ExternalName") addAlias(service, names);
    else if (clusterIP === "None") addHeadless(service, own, { world, names, doors });
    else if (isServiceAddress(clusterIP)) addService(service, backends, { names, doors });
  }
  return { names, doors };
}

interface Found {
  readonly names: Map<string, NameRecords>;
  readonly doors: Door[];
}

/** A Service of Knative: its name leads to the gateway, which starts a pod where there is none. */
function addRoute({ metadata, status }: Route, { standIn }: ServiceWorld, { names, doors }: Found): void {
  const url = status?.url === undefined ? undefined : URL.parse(status.url);
  if (url === null || url === undefined || url.protocol !== "http:") return;
  const port = url.port === "" ? 80 : Number(url.port);
  // Whatever stands before it, the domain of the cluster is the gateway's.
  const address = standIn(`gateway ${String(port)}`);
  names.set(nameOf(metadata), { addresses: [address], services: [] });
  if (doors.some((door) => door.address === address)) return;
  doors.push({
    ...{ protocol: "TCP", address, port: 80, sticky: false },
    backends: [{ kind: "platform", host: url.hostname, port }],
  });
}

/** A name that has the records of another one, as RFC 1035's CNAME. One that DNS cannot have leads nowhere. */
function addAlias({ metadata, spec }: CoreService, names: Map<string, NameRecords>): void {
  const alias = (spec?.externalName ?? "").toLowerCase().replace(/\.$/, "");
  // Kubernetes' own name server has no name for an address either.
  if (isIP(alias) !== 0 || !/^[^.]{1,63}(\.[^.]{1,63})*$/.test(alias)) return;
  names.set(nameOf(metadata), { addresses: [], services: [], alias });
}

/** Whatever its slices say: nobody leads others to an API server of his own. */
const isApiService = ({ metadata }: CoreService): boolean =>
  metadata.namespace === apiService.namespace && metadata.name === apiService.name;

interface ServicePort {
  readonly name: string;
  readonly protocol: "TCP" | "UDP";
}

function addService(
  service: CoreService,
  backendsFor: (port: ServicePort) => readonly Backend[],
  { names, doors }: Found,
): void {
  const { clusterIP: address = "", ports = [], sessionAffinity } = service.spec ?? {};
  const base = nameOf(service.metadata);
  const services: ServiceRecord[] = [];
  for (const { name = "", protocol = "TCP", port } of ports) {
    if (protocol !== "TCP" && protocol !== "UDP") continue;
    const backends = backendsFor({ name, protocol });
    doors.push({ protocol, address, port, backends, sticky: sessionAffinity === "ClientIP" });
    if (name !== "") services.push({ name, protocol, port, target: base });
  }
  names.set(base, { addresses: [address], services: [] });
  addServiceRecords(names, base, services);
}

/** The pods of a Service that are ready, as its slices say. */
const readyOf =
  (service: CoreService, slices: readonly EndpointSlice[]) =>
  ({ name, protocol }: ServicePort): readonly Backend[] =>
    slices.flatMap((slice) =>
      portsOf(slice, name, protocol).flatMap((target) =>
        slice.endpoints.filter(isReady).flatMap((endpoint) => backendsOf(service, endpoint, target)),
      ),
    );

/** The names of a headless Service lead to its pods, each by an address of its own. */
function addHeadless(
  service: CoreService,
  slices: readonly EndpointSlice[],
  { world, names, doors }: Found & { readonly world: ServiceWorld },
): void {
  const base = nameOf(service.metadata);
  const addresses: string[] = [];
  const services: ServiceRecord[] = [];
  for (const slice of slices) {
    for (const endpoint of slice.endpoints.filter(isReady)) {
      const { hostname, targetRef, addresses: own } = endpoint;
      const uid = targetRef?.uid ?? "";
      const address = world.ownAddress(uid) ?? world.standIn(`endpoint ${uid === "" ? own.join() : uid}`);
      const name = `${hostname ?? address.replaceAll(".", "-")}.${base}`;
      addresses.push(address);
      names.set(name, { addresses: [address], services: [] });
      for (const { name: portName = "", protocol = "TCP", port } of slice.ports ?? []) {
        if ((protocol !== "TCP" && protocol !== "UDP") || port === undefined) continue;
        if (portName !== "") services.push({ name: portName, protocol, port, target: name });
        // Two Services may have the same pods.
        if (doors.some((door) => door.address === address && door.port === port && door.protocol === protocol))
          continue;
        doors.push({ protocol, address, port, backends: backendsOf(service, endpoint, port), sticky: false });
      }
    }
  }
  // A Service without pods has no address, and so no name, as Kubernetes' own has it.
  if (addresses.length > 0) names.set(base, { addresses, services: [] });
  addServiceRecords(names, base, services);
}

/** `_PORT._PROTOCOL.` before the name (RFC 2782). */
function addServiceRecords(names: Map<string, NameRecords>, base: string, all: readonly ServiceRecord[]): void {
  for (const [name, services] of Map.groupBy(all, (one) => `_${one.name}._${one.protocol.toLowerCase()}.${base}`)) {
    names.set(name, { addresses: [], services });
  }
}

const portsOf = (slice: EndpointSlice, name: string, protocol: string): readonly number[] =>
  (slice.ports ?? []).flatMap((port) =>
    (port.name ?? "") === name && (port.protocol ?? "TCP") === protocol && port.port !== undefined ? [port.port] : [],
  );

// Absent means yes: discovery/v1, EndpointConditions.
const isReady = ({ conditions }: Endpoint): boolean => conditions?.ready !== false;

/** A pod that a slice names is one of the Service's own namespace: nobody opens doors to others' pods. */
function backendsOf({ metadata }: CoreService, endpoint: Endpoint, port: number): readonly Backend[] {
  const { targetRef, nodeName: node = "", addresses } = endpoint;
  const { namespace = "" } = metadata;
  if (targetRef === undefined) return addresses.map((address) => ({ kind: "address", address, port }));
  const { kind, namespace: theirs = namespace, uid } = targetRef;
  return kind === "Pod" && theirs === namespace && uid !== undefined
    ? [{ kind: "pod", namespace, uid, node, port }]
    : [];
}

const keyOf = (namespace = "", name: string): string => `${namespace}/${name}`;

const nameOf = ({ namespace = "", name }: { readonly namespace?: string; readonly name: string }): string =>
  `${name}.${namespace}.svc.${clusterDomain}`;
