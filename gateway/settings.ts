import { describeError, parseDurationMs } from "@shallop/sdk/internal";
import { parseQuantity } from "@shallop/sdk/api";
import { defaultLimits, type GatewayLimits } from "./limits.ts";
import { parseTraceMode, type TraceMode } from "./stats/tracer.ts";
import type { SecretName } from "./route/certificates.ts";
import { type AccessLogForm, accessLogForms } from "./stats/access-line.ts";
import { TrustedProxies } from "./proxy/trusted-proxies.ts";
import { isServerTimingMode, type ServerTimingMode } from "./proxy/server-timing.ts";

/** The flags of `gateway/main.ts`, for `parseArgs`. */
export const settingOptions = {
  credentials: { type: "string" },
  host: { type: "string", default: "127.0.0.1" },
  port: { type: "string", default: "8080" },
  "https-port": { type: "string" },
  "https-public-port": { type: "string" },
  "peer-port": { type: "string", default: "0" },
  "peer-address": { type: "string" },
  "default-certificate": { type: "string" },
  "trusted-proxies": { type: "string" },
  domain: { type: "string", default: "localhost" },
  state: { type: "string" },
  "status-port": { type: "string" },
  trace: { type: "string" },
  "access-log": { type: "string", default: "off" },
  "access-log-file": { type: "string" },
  "server-timing": { type: "string", default: "cold" },
  "body-max": { type: "string" },
  "body-idle-timeout": { type: "string" },
  "header-count-max": { type: "string" },
  "header-bytes-max": { type: "string" },
  "header-timeout": { type: "string" },
  "requests-per-connection-max": { type: "string" },
  "queue-total-max": { type: "string" },
  "streams-max": { type: "string" },
  "stream-window": { type: "string" },
  "connection-window": { type: "string" },
  "reset-burst": { type: "string" },
  "reset-rate": { type: "string" },
  "connections-max": { type: "string" },
  "connections-per-address-max": { type: "string" },
  "queue-depth-max": { type: "string" },
  "activation-timeout": { type: "string" },
  "idle-timeout": { type: "string" },
  "drain-timeout": { type: "string" },
  "takeover-timeout": { type: "string" },
  "websocket-message-max": { type: "string" },
  "websocket-queue-max": { type: "string" },
  "websocket-rate": { type: "string" },
  "websocket-behind-max": { type: "string" },
  "websocket-ping": { type: "string" },
  "websockets-per-service-max": { type: "string" },
  "websockets-per-tenant-max": { type: "string" },
  "websockets-per-address-max": { type: "string" },
} as const;

export type SettingValues = { readonly [Name in keyof typeof settingOptions]?: string | undefined };

export interface Settings {
  readonly credentials: string;
  readonly host: string;
  readonly port: number;
  /** Undefined: no HTTPS. */
  readonly httpsPort: number | undefined;
  /** In redirects, where clients know another one. */
  readonly httpsPublicPort: number | undefined;
  /** The secret with the certificate of hosts that have none. */
  readonly defaultCertificate: SecretName | undefined;
  /** Whose word on who the client is counts; undefined: nobody's. */
  readonly trustedProxies: TrustedProxies | undefined;
  /** Where other gateways of the cluster speak to this one, over mutual TLS; 0: any. */
  readonly peerPort: number;
  /** How they reach it; undefined: where it listens, or this machine's first address. */
  readonly peerAddress: string | undefined;
  readonly domain: string;
  /** Where the last known state is kept; undefined: nowhere. */
  readonly state: string | undefined;
  /** Undefined: as the environment says. */
  readonly trace: TraceMode | undefined;
  /** Undefined: no access log. */
  readonly accessLog: AccessLogForm | undefined;
  /** Undefined: standard output. */
  readonly accessLogFile: string | undefined;
  /** On loopback: `/healthz`, `/readyz`, `/status`, `/metrics`; undefined: none. */
  readonly statusPort: number | undefined;
  readonly serverTiming: ServerTimingMode;
  readonly limits: GatewayLimits;
}

/** @throws Error with a sentence that names the flag */
export function readSettings(values: SettingValues): Settings {
  const { credentials, host = "127.0.0.1", domain = "localhost", state } = values;
  if (credentials === undefined) throw new Error("--credentials FILE is needed: the control plane writes one");
  const serverTiming = values["server-timing"] ?? "cold";
  if (!isServerTimingMode(serverTiming)) throw new Error("--server-timing is always, cold or off");
  const port = portNumber(values, "port") ?? 8080;
  const statusPort = portNumber(values, "status-port");
  const limits: GatewayLimits = {
    ...defaultLimits,
    bodyBytesMax: bytes(values, "body-max") ?? defaultLimits.bodyBytesMax,
    bodyIdleTimeoutMs: duration(values, "body-idle-timeout") ?? defaultLimits.bodyIdleTimeoutMs,
    headerCountMax: count(values, "header-count-max") ?? defaultLimits.headerCountMax,
    headerBytesMax: bytes(values, "header-bytes-max") ?? defaultLimits.headerBytesMax,
    headerTimeoutMs: duration(values, "header-timeout") ?? defaultLimits.headerTimeoutMs,
    requestsPerConnectionMax: count(values, "requests-per-connection-max") ?? defaultLimits.requestsPerConnectionMax,
    queueTotalMax: count(values, "queue-total-max") ?? defaultLimits.queueTotalMax,
    streamsMax: count(values, "streams-max") ?? defaultLimits.streamsMax,
    streamWindowBytes: bytes(values, "stream-window") ?? defaultLimits.streamWindowBytes,
    connectionWindowBytes: bytes(values, "connection-window") ?? defaultLimits.connectionWindowBytes,
    resetBurst: count(values, "reset-burst") ?? defaultLimits.resetBurst,
    resetsPerSecond: count(values, "reset-rate") ?? defaultLimits.resetsPerSecond,
    connectionsMax: count(values, "connections-max") ?? defaultLimits.connectionsMax,
    connectionsPerAddressMax: count(values, "connections-per-address-max") ?? defaultLimits.connectionsPerAddressMax,
    queueDepthMax: count(values, "queue-depth-max") ?? defaultLimits.queueDepthMax,
    activationTimeoutMs: duration(values, "activation-timeout") ?? defaultLimits.activationTimeoutMs,
    idleTimeoutMs: duration(values, "idle-timeout") ?? defaultLimits.idleTimeoutMs,
    drainTimeoutMs: duration(values, "drain-timeout") ?? defaultLimits.drainTimeoutMs,
    takeoverTimeoutMs: duration(values, "takeover-timeout") ?? defaultLimits.takeoverTimeoutMs,
    ...webSocketLimits(values),
  };
  const httpsPort = portNumber(values, "https-port");
  const httpsPublicPort = portNumber(values, "https-public-port");
  return {
    credentials,
    host,
    port,
    httpsPort,
    httpsPublicPort,
    peerPort: portNumber(values, "peer-port") ?? 0,
    peerAddress: hostName(values, "peer-address"),
    defaultCertificate: secretName(values["default-certificate"]),
    trustedProxies: trustedProxies(values["trusted-proxies"]),
    domain,
    state,
    statusPort,
    trace: traceMode(values.trace),
    accessLog: accessLog(values["access-log"]),
    accessLogFile: values["access-log-file"],
    serverTiming,
    limits: { ...limits, headerCheckMs: Math.min(limits.headerCheckMs, Math.ceil(limits.headerTimeoutMs / 2)) },
  };
}

function webSocketLimits(values: SettingValues): Partial<GatewayLimits> {
  const given = {
    webSocketMessageBytesMax: bytes(values, "websocket-message-max"),
    webSocketQueueMax: count(values, "websocket-queue-max"),
    webSocketMessagesPerSecondMax: count(values, "websocket-rate"),
    webSocketBehindBytesMax: bytes(values, "websocket-behind-max"),
    webSocketPingMs: duration(values, "websocket-ping"),
    webSocketsPerServiceMax: count(values, "websockets-per-service-max"),
    webSocketsPerTenantMax: count(values, "websockets-per-tenant-max"),
    webSocketsPerAddressMax: count(values, "websockets-per-address-max"),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function secretName(text: string | undefined): SecretName | undefined {
  if (text === undefined) return undefined;
  const [, namespace, name] = /^([a-z0-9][a-z0-9.-]*)\/([a-z0-9][a-z0-9.-]*)$/.exec(text) ?? [];
  if (namespace !== undefined && name !== undefined) return { namespace, name };
  throw new Error(`--default-certificate names a Secret as NAMESPACE/NAME, not ${JSON.stringify(text)}`);
}

function trustedProxies(text: string | undefined): TrustedProxies | undefined {
  if (text === undefined) return undefined;
  try {
    return new TrustedProxies(text.split(",").map((range) => range.trim()));
  } catch (error) {
    throw new Error(`--trusted-proxies: ${describeError(error)}`, { cause: error });
  }
}

type Name = keyof typeof settingOptions;

function traceMode(text: string | undefined): TraceMode | undefined {
  const mode = text === undefined ? undefined : parseTraceMode(text);
  if (text !== undefined && mode === undefined)
    throw new Error(`--trace is off, parent, or a share such as 0.1, not ${JSON.stringify(text)}`);
  return mode;
}

function accessLog(text = "off"): AccessLogForm | undefined {
  const form = accessLogForms.find((name) => name === text);
  if (form === undefined && text !== "off")
    throw new Error(`--access-log is off, ${accessLogForms.join(", ")}, not ${JSON.stringify(text)}`);
  return form;
}

function count(values: SettingValues, name: Name): number | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  if (!/^[0-9]{1,9}$/.test(text)) throw new Error(`--${name} is a whole number, not ${JSON.stringify(text)}`);
  return Number(text);
}

function hostName(values: SettingValues, name: Name): string | undefined {
  const text = values[name];
  if (text !== undefined && !/^([0-9A-Za-z.-]{1,253}|\[[0-9a-fA-F:.]{2,45}\])$/.test(text))
    throw new Error(
      `--${name} is a host name or an address, with brackets around one of IPv6, not ${JSON.stringify(text)}`,
    );
  return text;
}

function portNumber(values: SettingValues, name: Name): number | undefined {
  const port = count(values, name);
  if (port !== undefined && port > 65_535) throw new Error(`--${name} is a number from 0 to 65535`);
  return port;
}

function bytes(values: SettingValues, name: Name): number | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  const quantity = parseQuantity(text);
  if (quantity === undefined || quantity < 0)
    throw new Error(`--${name} is a size such as 64Mi, not ${JSON.stringify(text)}`);
  return quantity;
}

function duration(values: SettingValues, name: Name): number | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  const durationMs = parseDurationMs(text);
  if (durationMs === undefined || durationMs <= 0)
    throw new Error(`--${name} is a time such as 30s or 1m30s, not ${JSON.stringify(text)}`);
  return durationMs;
}
