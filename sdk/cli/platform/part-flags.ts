import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import { CliFault } from "../cli-fault.ts";

/** A flag of a program: what its value is, or that it has none, and what it says. */
interface PartFlag {
  readonly value?: string;
  readonly about: string;
}
type PartFlags = Readonly<Record<string, PartFlag>>;

/**
 * The flags of the three programs. They are said here because the SDK imports no other folder; `test/tidy` compares them
 * with what the programs take.
 */
export const partFlags = {
  server: {
    data: { value: "dir", about: "where it keeps everything; needed" },
    host: { value: "address", about: "address to listen on (default: 127.0.0.1)" },
    port: { value: "port", about: "of the Kubernetes API (default: 6443)" },
    advertise: { value: "host", about: "name or address by which other machines reach it; may be repeated" },
    domain: { value: "domain", about: "of the services' host names (default: localhost)" },
    "gateway-port": { value: "port", about: "that the services' URLs name (default: 8080)" },
    registry: { value: "url", about: "of the built-in registry (default: http://127.0.0.1:5000)" },
    "registry-secret": { value: "file", about: "the platform's login to it, where it wants one" },
    "registry-alias": { value: "host:port", about: "another name of it; may be repeated" },
    "registry-mirror": { value: "host=url", about: "where a registry is read first; may be repeated" },
    "acme-directory": { value: "url", about: "of the ACME authority whose certificates the issuer acme gets" },
    "acme-email": { value: "address", about: "of the account there" },
    "node-monitor-grace-period": {
      value: "duration",
      about: "how long a node may be silent before it is not ready (default: 15s)",
    },
    "default-unreachable-toleration-seconds": {
      value: "n",
      about: "then its pods are replaced after these (default: 10)",
    },
    autoscaler: { value: "key=value", about: "a setting of config-autoscaler; may be repeated" },
  },
  agent: {
    data: { value: "dir", about: "where it keeps everything; needed" },
    join: { value: "url", about: "of the API of the platform to join; with --token" },
    token: { value: "token", about: "that shallop token prints" },
    credentials: { value: "file", about: "of a node that belongs to a platform already" },
    name: { value: "name", about: "of the node (default: the machine's)" },
    host: { value: "address", about: "address to listen on (default: 127.0.0.1)" },
    port: { value: "port", about: "of the node agent (default: 10250)" },
    "registry-port": { value: "port", about: "of the built-in registry; 0 is none (default: 5000)" },
    "builtin-registry": { value: "host:port", about: "that short image names belong to" },
    "registry-auth": { value: "kind", about: "login on that port: none, basic or token (default: none)" },
    "registry-listen": { value: "host:port", about: "where other machines reach it, with TLS and a login" },
    "registry-tls-cert": { value: "file", about: "PEM for that (default: the node's certificate)" },
    "registry-tls-key": { value: "file", about: "PEM of its key" },
    "registry-quota": { value: "size", about: "of all that is stored, such as 20Gi (default: none)" },
    "registry-repository-quota": { value: "size", about: "of each repository (default: none)" },
    "registry-untagged-lifetime": { value: "duration", about: "how long manifests without a tag stay (default: ever)" },
    "registry-upstream": {
      value: "name[=url]",
      about: "a registry to be a cache of, such as docker.io; may be repeated",
    },
    "registry-mirror": { value: "host=url", about: "where a registry is read first; may be repeated" },
    "known-escapes": {
      value: "refuse|allow",
      about: "native pods by a runc or crun with known ways out of containers; refuse unless given",
    },
    "native-egress": {
      value: "auto|proxy",
      about: "how native pods go out: by nft's rules where it is there, else by the node's proxy; or always by that",
    },
    "image-privileges": {
      value: "words",
      about: "what layers may bring: none, or of set-ids, capabilities and devices (default: none)",
    },
    "prefer-variant": { value: "kind", about: "wasm or native, where a deployment says nothing (default: wasm)" },
    "keep-pods": { about: "leave the pods running when it stops" },
    "clean-up": { about: "remove what a killed agent has left, and end" },
  },
  gateway: {
    credentials: { value: "file", about: "that the control plane has written; needed" },
    host: { value: "address", about: "address to listen on (default: 127.0.0.1)" },
    port: { value: "port", about: "to listen on (default: 8080)" },
    "https-port": { value: "port", about: "of HTTPS (default: none)" },
    "https-public-port": { value: "port", about: "of HTTPS, as clients know it, for redirects" },
    "peer-port": { value: "port", about: "where other gateways speak to this one, over mutual TLS (default: any)" },
    "peer-address": {
      value: "host",
      about: "by which they reach it (default: where it listens, or the machine's first address)",
    },
    "default-certificate": {
      value: "namespace/name",
      about: "Secret for hosts without one (default: the cluster's own)",
    },
    "trusted-proxies": {
      value: "ranges",
      about: "addresses or ranges, by commas, whose X-Forwarded-For and -Proto are believed",
    },
    domain: { value: "domain", about: "of the services' host names (default: localhost)" },
    state: { value: "file", about: "where the last known state is kept" },
    "status-port": { value: "port", about: "of /healthz, /readyz, /status and /metrics on loopback" },
    trace: {
      value: "which",
      about: "requests to trace: off, parent, or a share such as 0.1 (default: OTEL_TRACES_SAMPLER)",
    },
    "access-log": { value: "form", about: "off, common, combined or json (default: off)" },
    "access-log-file": { value: "file", about: "where it goes (default: standard output)" },
    "server-timing": { value: "when", about: "always, cold or off (default: cold)" },
    "body-max": { value: "bytes", about: "of a request's body" },
    "body-idle-timeout": {
      value: "duration",
      about: "how long a client may send nothing of a body, or take nothing of an answer (default: 60s)",
    },
    "header-count-max": { value: "n", about: "headers of a request (default: 100)" },
    "header-bytes-max": { value: "bytes", about: "of a request's line and headers (default: 16Ki)" },
    "header-timeout": { value: "duration", about: "for a request's headers to arrive (default: 10s)" },
    "requests-per-connection-max": { value: "n", about: "then the connection is closed (default: 1000)" },
    "queue-total-max": { value: "n", about: "requests that may wait for pods in all" },
    "streams-max": { value: "n", about: "requests at once on a connection of HTTP/2 (default: 100)" },
    "stream-window": { value: "bytes", about: "that a request of HTTP/2 may send ahead (default: 64Ki)" },
    "connection-window": { value: "bytes", about: "the same for a connection (default: 1Mi)" },
    "reset-burst": { value: "n", about: "streams that a client may reset at once (default: 200)" },
    "reset-rate": { value: "n", about: "streams that a client may reset a second (default: 33)" },
    "connections-max": { value: "n", about: "connections at once" },
    "connections-per-address-max": { value: "n", about: "connections at once from one address" },
    "queue-depth-max": { value: "n", about: "requests of a revision that may wait" },
    "activation-timeout": { value: "duration", about: "how long a request waits for a pod" },
    "idle-timeout": { value: "duration", about: "how long a silent connection is kept" },
    "drain-timeout": { value: "duration", about: "for what is under way when it stops" },
    "takeover-timeout": { value: "duration", about: "the same when another one has taken over (default: 10m)" },
    "websocket-message-max": { value: "bytes", about: "of one message of a component's WebSocket (default: 1Mi)" },
    "websocket-queue-max": { value: "n", about: "messages of one that wait, then it is not read (default: 64)" },
    "websocket-rate": { value: "n", about: "messages of one a second, then it is not read (default: 1000)" },
    "websocket-behind-max": { value: "bytes", about: "that wait for a client that does not read (default: 1Mi)" },
    "websocket-ping": { value: "duration", about: "how often a silent client is asked (default: 25s)" },
    "websockets-per-service-max": { value: "n", about: "open at once (default: 8000)" },
    "websockets-per-tenant-max": { value: "n", about: "open at once (default: 8000)" },
    "websockets-per-address-max": { value: "n", about: "of a client's address; 0 is no bound (default: 1000)" },
  },
} as const satisfies Readonly<Record<string, PartFlags>>;

export type PartName = keyof typeof partFlags;

/** @throws CliFault USAGE, naming what the program does not take */
export function checkPartFlags(part: PartName, args: readonly string[]): void {
  const flags: PartFlags = partFlags[part];
  const options: ParseArgsOptionsConfig = Object.fromEntries(
    Object.entries(flags).map(([name, { value }]) => [
      name,
      { type: value === undefined ? "boolean" : "string", multiple: true },
    ]),
  );
  try {
    parseArgs({ args: [...args], options });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CliFault("USAGE", `shallop ${part}: ${why}; shallop ${part} --help shows its flags`);
  }
}

/** What `--help` says. */
export function partHelp(part: PartName, description: string): string {
  const rows = Object.entries<PartFlag>(partFlags[part]).map(([name, { value, about }]) => [
    `--${name}${value === undefined ? "" : ` <${value}>`}`,
    about,
  ]);
  const width = Math.max(...rows.map(([flag = ""]) => flag.length));
  const lines = rows.map(([flag = "", about = ""]) => `  ${flag.padEnd(width)}  ${about}`);
  return `Usage: shallop ${part} [options]\n\n${description}\n\nOptions:\n${lines.join("\n")}`;
}
