import { parseQuantity } from "@shallop/sdk/api";
import { parseMirrors, type RegistryHost, registryHost, type RegistryMirrors } from "@shallop/sdk/image";
import { parseDurationMs } from "@shallop/sdk/internal";
import type { LoginKind } from "../image/registry/login.ts";

/** The flags of registries as the parser gives them. */
export interface RegistryFlags {
  readonly "registry-port"?: string | undefined;
  readonly "registry-auth"?: string | undefined;
  readonly "registry-listen"?: string | undefined;
  readonly "registry-tls-cert"?: string | undefined;
  readonly "registry-tls-key"?: string | undefined;
  readonly "registry-quota"?: string | undefined;
  readonly "registry-repository-quota"?: string | undefined;
  readonly "registry-untagged-lifetime"?: string | undefined;
  readonly "registry-upstream"?: readonly string[] | undefined;
  readonly "registry-mirror"?: readonly string[] | undefined;
}

/** The built-in registry of a node. */
export interface RegistrySettings {
  /** On loopback. */
  readonly port: number;
  /** Of the loopback port. */
  readonly login: LoginKind;
  /** Where others reach it: always with a login and TLS. */
  readonly listen?: { readonly host: string; readonly port: number };
  /** Files of PEM for `listen`; the node's certificate of the cluster when absent. */
  readonly tls?: { readonly certificateFile: string; readonly keyFile: string };
  readonly quota: { readonly bytesMax?: number; readonly repositoryBytesMax?: number };
  readonly untaggedLifetimeMs?: number;
  /** Registries that this one is a cache of: the first component of names here, and where they are. */
  readonly upstreams: ReadonlyMap<string, { readonly host: RegistryHost; readonly url?: string }>;
}

/** Reads the flags. Undefined when the node serves no registry. @throws Error with a sentence that names the flag */
export function readRegistrySettings(flags: RegistryFlags): RegistrySettings | undefined {
  const port = portOf("registry-port", flags["registry-port"] ?? "5000");
  if (port === 0) {
    const useless = Object.entries(flags).find(([name, value]) => needsRegistry(name) && isGiven(value));
    if (useless === undefined) return undefined;
    throw new Error(`--${useless[0]} is of the built-in registry, which --registry-port 0 switches off`);
  }
  const listen = flags["registry-listen"] === undefined ? undefined : listenOf(flags["registry-listen"]);
  const bytesMax = bytesOf("registry-quota", flags["registry-quota"]);
  const repositoryBytesMax = bytesOf("registry-repository-quota", flags["registry-repository-quota"]);
  const untaggedLifetimeMs = durationOf("registry-untagged-lifetime", flags["registry-untagged-lifetime"]);
  const tls = tlsOf(flags);
  if (tls !== undefined && listen === undefined) {
    throw new Error("--registry-tls-cert is for --registry-listen HOST:PORT, which is missing");
  }
  return {
    port,
    login: loginOf(flags["registry-auth"] ?? "none"),
    ...(listen === undefined ? {} : { listen }),
    ...(tls === undefined ? {} : { tls }),
    quota: {
      ...(bytesMax === undefined ? {} : { bytesMax }),
      ...(repositoryBytesMax === undefined ? {} : { repositoryBytesMax }),
    },
    ...(untaggedLifetimeMs === undefined ? {} : { untaggedLifetimeMs }),
    upstreams: new Map((flags["registry-upstream"] ?? []).map(upstreamOf)),
  };
}

/** Where registries are read first. @throws Error with a sentence */
export function readMirrors(flags: RegistryFlags): RegistryMirrors {
  return parseMirrors(flags["registry-mirror"] ?? []);
}

/** All flags of the agent may be here. */
const needsRegistry = (name: string): boolean =>
  name.startsWith("registry-") && name !== "registry-port" && name !== "registry-mirror";

const isGiven = (value: unknown): boolean => (Array.isArray(value) ? value.length > 0 : value !== undefined);

function loginOf(text: string): LoginKind {
  if (text === "none" || text === "basic" || text === "token") return text;
  throw new Error(`--registry-auth is none, basic or token, not "${text}"`);
}

function listenOf(text: string): { readonly host: string; readonly port: number } {
  const [, host, port = ""] = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined) throw new Error(`--registry-listen is HOST:PORT such as 0.0.0.0:5443, not "${text}"`);
  return { host: host.replace(/^\[|\]$/g, ""), port: portOf("registry-listen", port) };
}

function tlsOf(flags: RegistryFlags): RegistrySettings["tls"] {
  const { "registry-tls-cert": certificateFile, "registry-tls-key": keyFile } = flags;
  if (certificateFile === undefined && keyFile === undefined) return undefined;
  if (certificateFile !== undefined && keyFile !== undefined) return { certificateFile, keyFile };
  throw new Error("--registry-tls-cert FILE and --registry-tls-key FILE come together");
}

/** `docker.io`, or `name=https://registry.example:5000`. */
function upstreamOf(text: string): [string, { readonly host: RegistryHost; readonly url?: string }] {
  const equals = text.indexOf("=");
  const name = equals < 0 ? text : text.slice(0, equals);
  if (!/^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*$/.test(name)) {
    throw new Error(`--registry-upstream is docker.io or NAME=URL, and "${name}" can begin no name of an image`);
  }
  if (equals < 0) return [name, { host: registryHost(name) }];
  const url = URL.parse(text.slice(equals + 1));
  if (url === null || !/^https?:$/.test(url.protocol) || url.pathname !== "/") {
    throw new Error(`--registry-upstream ${name}=URL: "${text.slice(equals + 1)}" is no URL of a registry`);
  }
  return [name, { host: registryHost(url.host), url: url.origin }];
}

function bytesOf(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const bytes = parseQuantity(text);
  if (bytes !== undefined && bytes > 0) return Math.floor(bytes);
  throw new Error(`--${flag} is a size such as 20Gi, not "${text}"`);
}

function durationOf(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const durationMs = parseDurationMs(text);
  if (durationMs !== undefined && durationMs > 0) return durationMs;
  throw new Error(`--${flag} is a duration such as 168h, not "${text}"`);
}

function portOf(flag: string, text: string): number {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (value <= 65_535) return value;
  throw new Error(`--${flag} is "${text}", not a port between 0 and 65535`);
}
