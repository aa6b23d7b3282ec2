import { isRepositoryName, type RepositoryName } from "@shallop/sdk/image";
import { RegistryFault } from "./fault.ts";

/** What a path below `/v2/` means. Distribution specification, "Endpoints". */
export type RegistryRoute =
  | { readonly kind: "ping" }
  | { readonly kind: "catalog" }
  | { readonly kind: "tags"; readonly name: RepositoryName }
  | { readonly kind: "manifest"; readonly name: RepositoryName; readonly reference: string }
  | { readonly kind: "blob"; readonly name: RepositoryName; readonly digest: string }
  | { readonly kind: "uploads"; readonly name: RepositoryName }
  | { readonly kind: "upload"; readonly name: RepositoryName; readonly id: string }
  | { readonly kind: "referrers"; readonly name: RepositoryName; readonly digest: string };

/** Longest path that means something: a name, a word, and a sha512 digest. */
const pathLengthMax = 1_024;

// A name may itself have components called `blobs` or `manifests`: the last one counts, hence the greedy first group.
const patterns: readonly {
  readonly pattern: RegExp;
  readonly route: (name: RepositoryName, rest: string) => RegistryRoute;
}[] = [
  { pattern: /^\/v2\/(.+)\/tags\/list$/, route: (name) => ({ kind: "tags", name }) },
  { pattern: /^\/v2\/(.+)\/blobs\/uploads\/?$/, route: (name) => ({ kind: "uploads", name }) },
  { pattern: /^\/v2\/(.+)\/blobs\/uploads\/([^/]+)$/, route: (name, id) => ({ kind: "upload", name, id }) },
  { pattern: /^\/v2\/(.+)\/blobs\/([^/]+)$/, route: (name, digest) => ({ kind: "blob", name, digest }) },
  { pattern: /^\/v2\/(.+)\/manifests\/([^/]+)$/, route: (name, reference) => ({ kind: "manifest", name, reference }) },
  { pattern: /^\/v2\/(.+)\/referrers\/([^/]+)$/, route: (name, digest) => ({ kind: "referrers", name, digest }) },
];

/** Undefined when the path means nothing. @throws RegistryFault NAME_INVALID */
export function parseRegistryPath(path: string): RegistryRoute | undefined {
  if (path === "/v2" || path === "/v2/") return { kind: "ping" };
  if (path === "/v2/_catalog") return { kind: "catalog" };
  if (path.length > pathLengthMax) return undefined;
  for (const { pattern, route } of patterns) {
    const [, name, rest] = pattern.exec(path) ?? [];
    if (name === undefined) continue;
    if (!isRepositoryName(name))
      throw new RegistryFault("NAME_INVALID", `"${name.slice(0, 100)}" is no repository name`);
    return route(name, decode(rest ?? ""));
  }
  return undefined;
}

/** Some clients write the colon of a digest as `%3A`. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * The part of a blob that `Range` asks for (RFC 9110, 14). Undefined: all of it, because there is no range or one that
 * is not understood. `unsatisfiable` is 416.
 */
export function parseRange(
  header: string | undefined,
  size: number,
): { readonly start: number; readonly end: number } | "unsatisfiable" | undefined {
  const [, first, last] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? "") ?? [];
  if (first === undefined || last === undefined || (first === "" && last === "")) return undefined;
  if (first === "") {
    const length = Math.min(Number(last), size);
    return length === 0 ? "unsatisfiable" : { start: size - length, end: size };
  }
  const start = Number(first);
  const end = last === "" ? size : Math.min(Number(last) + 1, size);
  return start >= size || start >= end ? "unsatisfiable" : { start, end };
}

/** Start and length that a piece of an upload says it has: `Content-Range: 0-99`, some write `bytes 0-99/*`. */
export function parseContentRange(
  header: string | undefined,
): { readonly start: number; readonly length: number } | undefined {
  if (header === undefined) return undefined;
  const [, first, last] = /^(?:bytes )?(\d{1,15})-(\d{1,15})(?:\/(?:\d+|\*))?$/.exec(header) ?? [];
  const length = Number(last) - Number(first) + 1;
  if (first === undefined || length < 1) throw new RegistryFault("RANGE_INVALID", "Content-Range must be first-last");
  return { start: Number(first), length };
}
