import { type Container, parseQuantity, type PodSpec, type ResourceFieldSelector } from "@shallop/sdk/api";
import { podIpToken } from "../pod/containers/container-launch.ts";
import type { PodManifest } from "./manifest.ts";

/** What a pod can be told of itself beside what it says itself. */
export interface DownwardFacts {
  readonly uid: string;
  readonly node: string;
  readonly hostIp: string;
}

/** The value of a field that a pod may ask for (core/v1 ObjectFieldSelector); empty where it has none. */
export function fieldOf(path: string, manifest: PodManifest, facts: DownwardFacts): string {
  const { namespace, name, labels, annotations, spec } = manifest;
  const keyed = /^metadata\.(labels|annotations)(?:\['(.+)'\])?$/.exec(path);
  if (keyed !== null) {
    const map = keyed[1] === "labels" ? labels : annotations;
    return keyed[2] === undefined ? keyValueLines(map) : (map[keyed[2]] ?? "");
  }
  switch (path) {
    case "metadata.name":
      return name;
    case "metadata.namespace":
      return namespace;
    case "metadata.uid":
      return facts.uid;
    case "spec.nodeName":
      return facts.node;
    case "spec.serviceAccountName":
      return spec.serviceAccountName ?? "default";
    case "status.hostIP":
    case "status.hostIPs":
      return facts.hostIp;
    case "status.podIP":
    case "status.podIPs":
      // Known when the sandbox is there.
      return podIpToken;
    default:
      return "";
  }
}

/** As the downward API writes maps: `key="value"`, one a line, with what has to be escaped. */
const keyValueLines = (map: Readonly<Record<string, string>>): string =>
  Object.entries(map)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join("\n");

/** A limit or request of a container, in whole units of the divisor, rounded up. */
export function resourceOf(selector: ResourceFieldSelector, asking: Container, spec: PodSpec): string {
  const { containerName, resource, divisor } = selector;
  const container = spec.containers.find(({ name }) => name === containerName) ?? asking;
  const [list, name = ""] = resource.split(".");
  const { limits = {}, requests = {} } = container.resources ?? {};
  const quantity = list === "limits" ? limits[name] : requests[name];
  const amount = quantity === undefined ? 0 : (parseQuantity(quantity) ?? 0);
  const unit = divisor === undefined ? 1 : (parseQuantity(divisor) ?? 1);
  return String(Math.ceil(amount / (unit > 0 ? unit : 1)));
}
