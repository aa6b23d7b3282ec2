import { ImageFault } from "./fault.ts";
import { isRepositoryName, type RegistryHost, registryHost } from "./reference.ts";

/** A registry that has copies of another one's images. */
export interface RegistryMirror {
  /** `https://cache:5000`. */
  readonly origin: string;
  /** What stands before the names there: `docker.io` when `library/alpine` is `docker.io/library/alpine`. */
  readonly prefix: string | undefined;
}

/** By the host of the registry that is mirrored, as it stands in references. */
export type RegistryMirrors = ReadonlyMap<RegistryHost, readonly RegistryMirror[]>;

/** Mirrors of one registry: asked one after the other, so more would make an absence slow to notice. */
const mirrorsMax = 5;

/**
 * Reads `docker.io=https://cache:5000/docker.io`, several for one registry in the order in which they are asked.
 *
 * @throws ImageFault REFERENCE_INVALID with a sentence that says what is wrong
 */
export function parseMirrors(values: readonly string[]): RegistryMirrors {
  const mirrors = new Map<RegistryHost, RegistryMirror[]>();
  for (const value of values) {
    const { name, url } = cut(value);
    const list = mirrors.get(name) ?? [];
    list.push({ origin: url.origin, prefix: prefixOf(value, url) });
    if (list.length > mirrorsMax) {
      throw new ImageFault("REFERENCE_INVALID", `a registry has at most ${mirrorsMax} mirrors; ${name} has more`);
    }
    mirrors.set(name, list);
  }
  return mirrors;
}

function cut(value: string): { readonly name: RegistryHost; readonly url: URL } {
  const equals = value.indexOf("=");
  const url = URL.parse(value.slice(equals + 1));
  const isUrl = url !== null && /^https?:$/.test(url.protocol) && url.username === "" && url.search === "";
  if (equals < 1 || !isUrl) {
    throw new ImageFault(
      "REFERENCE_INVALID",
      `"${value.slice(0, 200)}" is no mirror: write docker.io=https://cache:5000`,
    );
  }
  return { name: registryHost(value.slice(0, equals)), url };
}

function prefixOf(value: string, url: URL): string | undefined {
  const path = url.pathname.replace(/^\/(v2\/?)?|\/$/g, "");
  if (path === "") return undefined;
  if (isRepositoryName(path)) return path;
  throw new ImageFault("REFERENCE_INVALID", `"${value.slice(0, 200)}" is no mirror: its path is no repository name`);
}
