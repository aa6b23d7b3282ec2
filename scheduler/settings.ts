import { resolve } from "node:path";
import { parseMirrors, type RegistryHost, registryHost, type RegistryMirrors } from "@shallop/sdk/image";
import { parseDurationMs } from "@shallop/sdk/internal";
import { type AutoscalerConfig, parseConfig } from "./autoscale/config.ts";
import { type NodePatience, usualPatience } from "./controllers/node/plan.ts";

export interface SettingValues {
  readonly data?: string | undefined;
  readonly host?: string | undefined;
  readonly "acme-directory"?: string | undefined;
  readonly "acme-email"?: string | undefined;
  readonly port?: string | undefined;
  readonly advertise?: readonly string[] | undefined;
  readonly domain?: string | undefined;
  readonly "gateway-port"?: string | undefined;
  readonly registry?: string | undefined;
  readonly "registry-secret"?: string | undefined;
  readonly "registry-alias"?: readonly string[] | undefined;
  readonly "registry-mirror"?: readonly string[] | undefined;
  readonly "node-monitor-grace-period"?: string | undefined;
  readonly "default-unreachable-toleration-seconds"?: string | undefined;
  readonly autoscaler?: readonly string[] | undefined;
}

export interface Settings {
  /** Absolute. */
  readonly dataDir: string;
  readonly host: string;
  readonly port: number;
  /** Names and addresses beside localhost by which clients reach the API server. */
  readonly advertise: readonly string[];
  /** What follows the namespace in URLs of services. */
  readonly domain: string;
  readonly gatewayPort: number;
  /** The built-in registry: as references name it, and its URL. */
  /** Whose certificates the issuer `acme` gets; undefined: nobody's. */
  readonly acme: { readonly directoryUrl: string; readonly email: string | undefined } | undefined;
  readonly registry: { readonly host: RegistryHost; readonly url: string };
  /** File of the login to it that the platform's parts share; absent where it needs none. */
  readonly registrySecretFile?: string;
  /** Other names of it. */
  readonly registryAliases: ReadonlySet<string>;
  /** Where registries are read first. */
  readonly mirrors: RegistryMirrors;
  readonly nodePatience: NodePatience;
  readonly autoscaler: AutoscalerConfig;
}

const domainPattern = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;

/** @throws Error with a sentence that names the flag; AutoscalerFault CONFIG_INVALID */
export function readSettings(values: SettingValues): Settings {
  const { data, host = "127.0.0.1", domain = "localhost", advertise = [], autoscaler = [] } = values;
  if (data === undefined || data === "") throw new Error("--data DIR is needed: everything is kept there");
  if (!domainPattern.test(domain)) throw new Error(`--domain is a DNS name such as localhost, not "${domain}"`);
  return {
    dataDir: resolve(data),
    host,
    port: port("port", values.port ?? "6443"),
    advertise: advertise.flatMap((names) => names.split(",")).filter((name) => name !== ""),
    domain,
    gatewayPort: port("gateway-port", values["gateway-port"] ?? "8080"),
    acme: acme(values["acme-directory"], values["acme-email"]),
    registry: registry(values.registry ?? "http://127.0.0.1:5000"),
    ...(values["registry-secret"] === undefined ? {} : { registrySecretFile: resolve(values["registry-secret"]) }),
    registryAliases: new Set((values["registry-alias"] ?? []).map((alias) => registryHost(alias))),
    mirrors: parseMirrors(values["registry-mirror"] ?? []),
    nodePatience: {
      silentMsMax: gracePeriod(values["node-monitor-grace-period"]),
      replaceAfterMs: toleration(values["default-unreachable-toleration-seconds"]),
    },
    autoscaler: parseConfig(autoscaler),
  };
}

/** Agents write each 5 s; a node that is well must not be taken for dead because one of its writes is late. */
const gracePeriodMsMin = 6_000;
const gracePeriodMsMax = 3_600_000;

/** The name is that of kube-controller-manager. */
function gracePeriod(text: string | undefined): number {
  if (text === undefined) return usualPatience.silentMsMax;
  const ms = parseDurationMs(text);
  if (ms !== undefined && ms >= gracePeriodMsMin && ms <= gracePeriodMsMax) return ms;
  throw new Error(`--node-monitor-grace-period is a duration from 6s, as nodes write each 5s, to 1h, not "${text}"`);
}

/** The name is that of kube-apiserver. */
function toleration(text: string | undefined): number {
  if (text === undefined) return usualPatience.replaceAfterMs;
  if (/^\d{1,5}$/.test(text)) return Number(text) * 1000;
  throw new Error(`--default-unreachable-toleration-seconds is a number from 0 to 99999, not "${text}"`);
}

/** RFC 8555, 6.1: over HTTPS; an authority of this machine, for tests, may do without. */
function acme(directoryUrl: string | undefined, email: string | undefined): Settings["acme"] {
  if (directoryUrl === undefined) return undefined;
  const url = URL.canParse(directoryUrl) ? new URL(directoryUrl) : undefined;
  const isLocal = url?.hostname === "127.0.0.1" || url?.hostname === "localhost";
  if (url === undefined || (url.protocol !== "https:" && !isLocal))
    throw new Error(
      `--acme-directory is a URL such as https://acme.example/directory, not ${JSON.stringify(directoryUrl)}`,
    );
  return { directoryUrl, email };
}

function port(flag: string, text: string): number {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (value <= 65_535) return value;
  throw new Error(`--${flag} is a number from 0 to 65535, not "${text}"`);
}

function registry(text: string): Settings["registry"] {
  if (!URL.canParse(text) || !/^https?:\/\//.test(text)) {
    throw new Error(`--registry is a URL such as http://127.0.0.1:5000, not "${text}"`);
  }
  const { host, origin } = new URL(text);
  return { host: registryHost(host), url: origin };
}
