import { kindAt, type Subresource } from "@shallop/sdk/api";
import type { Target } from "../machinery.ts";

/** Names in paths become parts of keys in the store: no name has a slash, or says "up". */
const nameIsPlain = (name: string): boolean => name !== "" && name !== "." && name !== ".." && !/[/%\0]/.test(name);

/**
 * What a path under `/api/v1` or `/apis/{group}/{version}` is about; undefined when nothing is served there.
 *
 *   pods                          all namespaces        namespaces/NS/pods/NAME/log
 *   namespaces/NS/pods            a collection          namespaces/NAME/finalize
 *   namespaces/NS/pods/NAME       an object             nodes/NAME/status
 */
export function parseTarget(path: string): Target | undefined {
  const segments = decodedSegments(path);
  if (segments === undefined) return undefined;
  const core = segments[0] === "api";
  if (!core && segments[0] !== "apis") return undefined;
  const [group, version] = core ? ["", segments[1]] : [segments[1], segments[2]];
  if (group === undefined || version === undefined) return undefined;
  const rest = segments.slice(core ? 2 : 3);
  const isScoped = rest[0] === "namespaces" && rest.length > 2 && !isNamespaceSubresource(core, rest);
  const namespace = isScoped ? rest[1] : undefined;
  const [plural, name, subresource, ...more] = isScoped ? rest.slice(2) : rest;
  if (plural === undefined || more.length > 0) return undefined;
  const kind = kindAt(group, version, plural);
  if (kind === undefined) return undefined;
  if (kind.resource.namespaced ? namespace === undefined && name !== undefined : namespace !== undefined)
    return undefined;
  if (subresource === undefined) return { kind, namespace, name };
  const known = kind.subresources.find((one): one is Subresource => one === subresource);
  return known === undefined ? undefined : { kind, namespace, name, subresource: known };
}

/** `namespaces/x/status` is of the namespace; `namespaces/x/pods` is in it. */
const isNamespaceSubresource = (core: boolean, rest: readonly string[]): boolean =>
  core && rest.length === 3 && (rest[2] === "status" || rest[2] === "finalize");

function decodedSegments(path: string): string[] | undefined {
  try {
    const segments = path.slice(1).replace(/\/$/, "").split("/").map(decodeURIComponent);
    return segments.every(nameIsPlain) ? segments : undefined;
  } catch {
    return undefined;
  }
}
