import { ApiFault } from "../api/fault.ts";
import type { ApiObject } from "../api/meta.ts";
import type { Resource } from "../api/resources.ts";
import type { Selector } from "./client.ts";

type AnyResource = Resource<ApiObject>;

/** One segment of a path. @throws ApiFault BadRequest for what would name another path: empty, `.`, `..` */
export function segment(text: string, what: string): string {
  if (text === "" || text === "." || text === "..") throw new ApiFault("BadRequest", `"${text}" is no ${what}`);
  return encodeURIComponent(text);
}

/** `/apis/serving.knative.dev/v1/namespaces/default/services`; without a namespace those of all of them. */
export function collectionPath(resource: AnyResource, namespace: string | undefined): string {
  const { group, version, plural, namespaced } = resource;
  const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  const scope = namespaced && namespace !== undefined ? `/namespaces/${segment(namespace, "namespace")}` : "";
  return `${root}${scope}/${plural}`;
}

/** Path of one object. @throws ApiFault BadRequest when the kind lives in namespaces and none is given */
export function objectPath(resource: AnyResource, namespace: string | undefined, name: string): string {
  if (resource.namespaced && namespace === undefined) {
    throw new ApiFault("BadRequest", `a ${resource.kind} is found by namespace and name; the namespace is missing`);
  }
  return `${collectionPath(resource, namespace)}/${segment(name, `name of a ${resource.kind}`)}`;
}

/** `?a=b&c=d` of the members that are defined, or nothing. */
export function query(members: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(members)) if (value !== undefined) search.set(name, String(value));
  const text = search.toString();
  return text === "" ? "" : `?${text}`;
}

export const selectorQuery = ({ labelSelector, fieldSelector }: Selector): Record<string, string | undefined> => ({
  labelSelector,
  fieldSelector,
});
