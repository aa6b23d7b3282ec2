import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { ProgramSpec } from "../../supervise/index.ts";
import { CliFault } from "../cli-fault.ts";
import { checkPartFlags } from "./part-flags.ts";
import type { UpFlags } from "./up-flags.ts";

/** The processes of a platform are started by path: the SDK imports no other folder. */
const mainOf = (folder: string): string => fileURLToPath(new URL(`../../../${folder}/main.ts`, import.meta.url));

export const schedulerMain = mainOf("scheduler");
export const agentMain = mainOf("runtime");
export const gatewayMain = mainOf("gateway");
const dockerMain = fileURLToPath(new URL("../../../runtime/docker/docker-main.ts", import.meta.url));

export interface Ports {
  readonly gateway: number;
  /** Undefined: no HTTPS. */
  readonly https: number | undefined;
  readonly api: number;
  readonly registry: number;
  readonly agent: number;
}

/** @throws CliFault USAGE */
export function portsOf(flags: UpFlags): Ports {
  const ports = {
    gateway: port("--port", flags.port),
    https: flags.httpsPort === undefined ? undefined : port("--https-port", flags.httpsPort),
    api: port("--api-port", flags.apiPort),
    registry: port("--registry-port", flags.registryPort),
    agent: port("--agent-port", flags.agentPort),
  };
  const wanted = Object.values(ports).filter((value) => value !== undefined);
  const twice = wanted.find((value, at) => wanted.indexOf(value) !== at);
  if (twice !== undefined) {
    throw new CliFault(
      "USAGE",
      `port ${twice} is given twice; --port, --https-port, --api-port, --registry-port and --agent-port differ`,
    );
  }
  return ports;
}

/** Kubernetes' rule for names of nodes, here too: the node agent could only say it in its log. @throws CliFault USAGE */
export function checkNodeName(name: string | undefined): void {
  if (name === undefined || /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(name)) return;
  throw new CliFault("USAGE", `--node-name is ${JSON.stringify(name)}; small letters, digits, - and . make a name`);
}

function port(flag: string, text: string): number {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 1 && value <= 65_535) return value;
  throw new CliFault("USAGE", `${flag} is ${JSON.stringify(text)}, which is no port between 1 and 65535`);
}

/** The control plane first: it makes the credentials that the others need. */
export function schedulerProgram(dataDirectory: string, flags: UpFlags, ports: Ports): ProgramSpec {
  return {
    name: "control-plane",
    main: schedulerMain,
    args: [
      "--data",
      dataDirectory,
      "--host",
      flags.host,
      "--port",
      String(ports.api),
      "--domain",
      flags.domain,
      "--gateway-port",
      String(ports.gateway),
      "--registry",
      `http://${loopback(flags.host)}:${ports.registry}`,
      ...(asksLogin(flags) ? ["--registry-secret", registrySecretFile(dataDirectory)] : []),
      ...registryAliases(flags).flatMap((alias) => ["--registry-alias", alias]),
      ...flags.registryMirror.flatMap((mirror) => ["--registry-mirror", mirror]),
      ...advertised(flags).flatMap((host) => ["--advertise", host]),
      ...flags.autoscaler.flatMap((setting) => ["--autoscaler", setting]),
      ...(flags.acmeDirectory === undefined ? [] : ["--acme-directory", flags.acmeDirectory]),
      ...(flags.acmeEmail === undefined ? [] : ["--acme-email", flags.acmeEmail]),
      ...partArguments("server", flags.server),
    ],
  };
}

export function agentProgram(dataDirectory: string, flags: UpFlags, ports: Ports): ProgramSpec {
  return {
    name: "node-agent",
    main: agentMain,
    args: [
      "--data",
      dataDirectory,
      "--credentials",
      join(dataDirectory, "credentials/agent.json"),
      "--host",
      flags.host,
      "--port",
      String(ports.agent),
      "--registry-port",
      String(ports.registry),
      "--builtin-registry",
      `127.0.0.1:${ports.registry}`,
      ...registryArguments(flags),
      ...(flags.preferVariant === undefined ? [] : ["--prefer-variant", flags.preferVariant]),
      ...(flags.nodeName === undefined ? [] : ["--name", flags.nodeName]),
    ],
  };
}

export function gatewayProgram(dataDirectory: string, flags: UpFlags, ports: Ports): ProgramSpec {
  return {
    name: "gateway",
    main: gatewayMain,
    args: [
      "--credentials",
      join(dataDirectory, "credentials/gateway.json"),
      "--host",
      flags.host,
      "--port",
      String(ports.gateway),
      "--domain",
      flags.domain,
      "--state",
      join(dataDirectory, "gateway-state.json"),
      ...(ports.https === undefined ? [] : ["--https-port", String(ports.https)]),
      ...partArguments("gateway", flags.gateway),
    ],
  };
}

/** Where the Docker API is served; undefined: it is not asked for. */
export function dockerSocket(dataDirectory: string, { docker }: UpFlags): string | undefined {
  if (docker === undefined || docker === false) return undefined;
  return docker === true ? join(dataDirectory, "docker.sock") : resolve(docker);
}

/** After the others: it speaks to the API, and to the registry of the node. */
export function dockerProgram(dataDirectory: string, flags: UpFlags, ports: Ports): ProgramSpec | undefined {
  const socket = dockerSocket(dataDirectory, flags);
  if (socket === undefined) return undefined;
  return {
    name: "docker",
    main: dockerMain,
    args: [
      ...["--data", dataDirectory, "--credentials", join(dataDirectory, "credentials/admin.json"), "--socket", socket],
      ...["--node", flags.nodeName ?? hostNodeName(), "--builtin-registry", `127.0.0.1:${ports.registry}`],
      ...(asksLogin(flags) ? ["--registry-secret", registrySecretFile(dataDirectory)] : []),
    ],
  };
}

/** As the node agent calls its node when nobody names it. */
const hostNodeName = (): string =>
  hostname()
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]/g, "-");

/** Flags of a part that are given to the platform, checked here: the part could only say it in its log. @throws CliFault USAGE */
function partArguments(part: "server" | "gateway", settings: readonly string[]): readonly string[] {
  const given = settings.flatMap((setting) => {
    const equals = setting.indexOf("=");
    if (equals <= 0) throw new CliFault("USAGE", `--${part} is ${JSON.stringify(setting)}; it is FLAG=VALUE`);
    return [`--${setting.slice(0, equals)}`, setting.slice(equals + 1)];
  });
  checkPartFlags(part, given);
  return given;
}

/** The flags of the registry, as the node agent takes them. */
function registryArguments(flags: UpFlags): readonly string[] {
  const single = {
    "--registry-auth": flags.registryAuth,
    "--registry-listen": flags.registryListen,
    "--registry-tls-cert": flags.registryTlsCert === undefined ? undefined : resolve(flags.registryTlsCert),
    "--registry-tls-key": flags.registryTlsKey === undefined ? undefined : resolve(flags.registryTlsKey),
    "--registry-quota": flags.registryQuota,
    "--registry-repository-quota": flags.registryRepositoryQuota,
    "--registry-untagged-lifetime": flags.registryUntaggedLifetime,
  };
  return [
    ...Object.entries(single).flatMap(([flag, value]) => (value === undefined ? [] : [flag, value])),
    ...flags.registryUpstream.flatMap((upstream) => ["--registry-upstream", upstream]),
    ...flags.registryMirror.flatMap((mirror) => ["--registry-mirror", mirror]),
  ];
}

const asksLogin = ({ registryAuth = "none" }: UpFlags): boolean => registryAuth !== "none";

/** Where the node agent keeps its registry's users and secret. */
export const registryUsersFile = (dataDirectory: string): string => join(dataDirectory, "registry/users.json");
export const registrySecretFile = (dataDirectory: string): string => join(dataDirectory, "registry/secret");

/** How other machines may call the registry: every name of this machine, with its outer port. */
function registryAliases({ registryListen, advertise, host }: UpFlags): readonly string[] {
  if (registryListen === undefined) return [];
  const [, listened = "", port = ""] = /^(.*):(\d+)$/.exec(registryListen) ?? [];
  const names = new Set([listened, host, hostname(), "localhost", "127.0.0.1", ...advertise]);
  const isName = (name: string): boolean => /^(\[[0-9a-f:.]+\]|[A-Za-z0-9.-]+)$/i.test(name) && name !== "0.0.0.0";
  return [...names].filter(isName).map((name) => `${name}:${port}`);
}

/** What the API's certificate has to name: an address that is listened on, too, unless it stands for all of them. */
function advertised({ host, advertise }: UpFlags): readonly string[] {
  return loopback(host) === "127.0.0.1" ? advertise : [...new Set([host, ...advertise])];
}

/** Where processes of this machine reach what listens on `host`. */
const loopback = (host: string): string => (host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host);
