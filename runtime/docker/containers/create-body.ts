import {
  dig,
  isJsonObject,
  type Json,
  type JsonObject,
  listAt,
  numberAt,
  objectAt,
  textAt,
  textsAt,
} from "@shallop/sdk/api";
import { DockerFault } from "../http/docker-fault.ts";
import {
  checkHostConfig,
  checkMountMode,
  checkNetworking,
  checkVolumeOptions,
  extraHostsOf,
  groupsOf,
  ulimitsOf,
} from "./host-config.ts";

/** What `POST /containers/create` asks for, checked. */
export interface ContainerRequest {
  readonly image: string;
  /** Undefined: the image's. Empty: none, whatever the image says. */
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  /** `NAME=value`; `NAME` alone takes the image's away. */
  readonly env: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly workingDir: string;
  readonly user: string;
  readonly tty: boolean;
  readonly openStdin: boolean;
  readonly stdinOnce: boolean;
  readonly stopSignal: string;
  readonly stopSeconds: number | undefined;
  readonly healthcheck: Healthcheck | undefined;
  /** `80/tcp`. */
  readonly exposedPorts: readonly string[];
  readonly ports: readonly PortBinding[];
  readonly mounts: readonly MountRequest[];
  readonly memoryBytes: number;
  /** Cores; 0: all there are. */
  readonly cpus: number;
  /** 10 to 1000; 0: none is asked for. */
  readonly ioWeight: number;
  /** 2 to 262144; 0: none are asked for. */
  readonly cpuShares: number;
  /** `0-2,5`; empty: all processors. */
  readonly cpuset: string;
  readonly restart: RestartPolicy;
  readonly autoRemove: boolean;
  readonly networkMode: string;
  readonly networks: readonly NetworkRequest[];
  readonly privileged: boolean;
  readonly readOnlyRoot: boolean;
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly noNewPrivileges: boolean;
  readonly seccompUnconfined: boolean;
  readonly sysctls: Readonly<Record<string, string>>;
  /** Empty: the begin of the container's id. */
  readonly hostname: string;
  /** Lines of hosts(5). */
  readonly extraHosts: readonly { readonly ip: string; readonly name: string }[];
  readonly dns: {
    readonly servers: readonly string[];
    readonly searches: readonly string[];
    readonly options: readonly string[];
  };
  readonly groups: readonly number[];
  readonly ulimits: Readonly<Record<string, readonly [soft: number, hard: number]>>;
  /** 0: as many as a pod has anyway. */
  readonly pidsMax: number;
  /** 0: the runtime's own. */
  readonly shmBytes: number;
  readonly init: boolean;
}

/** Docker's health check; times in nanoseconds, 0 where it leaves them open. */
export interface Healthcheck {
  readonly test: readonly string[];
  readonly intervalNs: number;
  readonly timeoutNs: number;
  readonly startPeriodNs: number;
  readonly retries: number;
}

export interface PortBinding {
  readonly containerPort: number;
  readonly protocol: string;
  /** Empty: every address of the machine. */
  readonly hostIp: string;
  /** 0: any that is free. */
  readonly hostPort: number;
}

export interface MountRequest {
  readonly type: "bind" | "volume" | "tmpfs";
  /** A path of the machine, or the name of a volume; empty: a volume without a name. */
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  /** A path of the machine that is not there is made, as `-v` has it. */
  readonly create: boolean;
  /** Of a volume that is empty: false, and it does not begin with what the image has there. */
  readonly copies?: boolean;
  readonly sizeBytes?: number;
}

type RestartName = "no" | "always" | "on-failure" | "unless-stopped";
interface RestartPolicy {
  readonly name: RestartName;
  readonly retriesMax: number;
}

interface NetworkRequest {
  readonly name: string;
  readonly aliases: readonly string[];
}

/** Kubernetes lets annotations have 256 KiB; the body is one of them. */
const createBytesMax = 128 * 1024;
const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
const nameLengthMax = 200;

/** @throws DockerFault BAD_REQUEST */
export function checkContainerName(name: string): string {
  if (namePattern.test(name) && name.length <= nameLengthMax) return name;
  throw bad(`Invalid container name (${name.slice(0, 80)}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
}

/** Reads the body of a create request from hostile JSON. @throws DockerFault BAD_REQUEST, UNSUPPORTED */
export function parseCreateBody(body: JsonObject): ContainerRequest {
  if (JSON.stringify(body).length > createBytesMax)
    throw bad(`the request has more than ${String(createBytesMax)} bytes`);
  const host = objectAt(body, "HostConfig");
  const entrypoint = wordsAt(body, "Entrypoint");
  const cmd = wordsAt(body, "Cmd");
  const securityOptions = texts(host, "SecurityOpt");
  checkHostConfig(host);
  checkNetworking(body);
  return {
    image: textAt(body, "Image") ?? "",
    ...(entrypoint === undefined ? {} : { entrypoint: entrypoint.filter((word) => word !== "") }),
    ...(cmd === undefined ? {} : { cmd }),
    env: texts(body, "Env"),
    labels: textsAt(body, "Labels"),
    workingDir: textAt(body, "WorkingDir") ?? "",
    user: textAt(body, "User") ?? "",
    tty: isTrue(body, "Tty"),
    openStdin: isTrue(body, "OpenStdin"),
    stdinOnce: isTrue(body, "StdinOnce"),
    stopSignal: textAt(body, "StopSignal") ?? "",
    stopSeconds: numberAt(body, "StopTimeout"),
    healthcheck: healthcheckOf(dig(body, "Healthcheck")),
    exposedPorts: Object.keys(objectAt(body, "ExposedPorts")),
    ports: portBindings(host),
    mounts: [...bindMounts(host), ...typedMounts(host), ...tmpfsMounts(host), ...anonymousVolumes(body)],
    memoryBytes: amount(host, "Memory"),
    cpus: cpusOf(host),
    ioWeight: ioWeightOf(host),
    cpuShares: cpuSharesOf(host),
    cpuset: cpusetOf(host),
    restart: restartOf(host),
    autoRemove: isTrue(host, "AutoRemove"),
    networkMode: textAt(host, "NetworkMode") ?? "default",
    networks: networksOf(body),
    privileged: isTrue(host, "Privileged"),
    readOnlyRoot: isTrue(host, "ReadonlyRootfs"),
    capAdd: texts(host, "CapAdd"),
    capDrop: texts(host, "CapDrop"),
    noNewPrivileges: securityOptions.some((option) => /^no-new-privileges(:true|=true)?$/.test(option)),
    seccompUnconfined: securityOptions.some((option) => /^seccomp[:=]unconfined$/.test(option)),
    sysctls: textsAt(host, "Sysctls"),
    hostname: textAt(body, "Hostname") ?? "",
    extraHosts: extraHostsOf(host),
    dns: { servers: texts(host, "Dns"), searches: texts(host, "DnsSearch"), options: texts(host, "DnsOptions") },
    groups: groupsOf(host),
    ulimits: ulimitsOf(host),
    pidsMax: amount(host, "PidsLimit"),
    shmBytes: amount(host, "ShmSize"),
    init: isTrue(host, "Init"),
  };
}

function healthcheckOf(value: Json | undefined): Healthcheck | undefined {
  if (!isJsonObject(value)) return undefined;
  const test = texts(value, "Test");
  return {
    test,
    intervalNs: amount(value, "Interval"),
    timeoutNs: amount(value, "Timeout"),
    startPeriodNs: amount(value, "StartPeriod"),
    retries: amount(value, "Retries"),
  };
}

function portBindings(host: JsonObject): readonly PortBinding[] {
  return Object.entries(objectAt(host, "PortBindings")).flatMap(([key, bindings]) => {
    const { port: containerPort, protocol } = parsePort(key);
    return listAt(bindings).map((binding): PortBinding => {
      const hostPort = Number(textAt(binding, "HostPort") ?? "0");
      if (!Number.isInteger(hostPort) || hostPort < 0 || hostPort > 65_535) {
        throw bad(`invalid port specification: ${JSON.stringify(textAt(binding, "HostPort") ?? "").slice(0, 60)}`);
      }
      const hostIp = textAt(binding, "HostIp") ?? "";
      return { containerPort, protocol, hostPort, hostIp: hostIp === "0.0.0.0" ? "" : hostIp };
    });
  });
}

/** `80/tcp`, `80`. @throws DockerFault BAD_REQUEST */
export function parsePort(key: string): { readonly port: number; readonly protocol: string } {
  const [, digits, protocol = "tcp"] = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/.exec(key) ?? [];
  const port = Number(digits);
  if (port > 0 && port < 65_536) return { port, protocol };
  throw bad(`invalid port specification: ${JSON.stringify(key.slice(0, 60))}`);
}

/** `source:target[:options]`, or a target alone, which is a volume without a name. */
function bindMounts(host: JsonObject): readonly MountRequest[] {
  return texts(host, "Binds").map((text): MountRequest => {
    const parts = text.split(":");
    const [source, target, options = ""] = parts.length === 1 ? ["", parts[0] ?? ""] : parts;
    checkMountMode(options);
    const mount = { target: absolute(target ?? "", text), readOnly: options.split(",").includes("ro") };
    if (source === undefined || parts.length > 3) throw bad(`invalid volume specification: '${text.slice(0, 200)}'`);
    return source.startsWith("/")
      ? { type: "bind", source: absolute(source, text), create: true, ...mount }
      : { type: "volume", source, create: true, ...mount, copies: !options.split(",").includes("nocopy") };
  });
}

function typedMounts(host: JsonObject): readonly MountRequest[] {
  return listAt(host, "Mounts").map((mount): MountRequest => {
    const type = textAt(mount, "Type");
    const source = textAt(mount, "Source") ?? "";
    const shared = { target: absolute(textAt(mount, "Target") ?? "", "--mount"), readOnly: isTrue(mount, "ReadOnly") };
    switch (type) {
      case "bind": {
        const create = isTrue(objectAt(mount, "BindOptions"), "CreateMountpoint");
        return { type, source: absolute(source, "--mount"), create, ...shared };
      }
      case "volume":
        checkVolumeOptions(mount);
        return { type, source, create: true, ...shared, copies: dig(mount, "VolumeOptions", "NoCopy") !== true };
      case "tmpfs": {
        const sizeBytes = numberAt(mount, "TmpfsOptions", "SizeBytes");
        return { type, source: "", create: true, ...shared, ...(sizeBytes === undefined ? {} : { sizeBytes }) };
      }
      case undefined:
      default:
        throw unsupported(`--mount type=${String(type)}`);
    }
  });
}

function tmpfsMounts(host: JsonObject): readonly MountRequest[] {
  return Object.entries(textsAt(host, "Tmpfs")).map(([target, options]): MountRequest => {
    const [, digits, unit = ""] = /(?:^|,)size=(\d+)([kmg]?)/i.exec(options) ?? [];
    const scale = { k: 1024, m: 1024 ** 2, g: 1024 ** 3 }[unit.toLowerCase()] ?? 1;
    return {
      ...{ type: "tmpfs", source: "", create: true, readOnly: false },
      target: absolute(target, "--tmpfs"),
      ...(digits === undefined ? {} : { sizeBytes: Number(digits) * scale }),
    };
  });
}

/** `-v /data` arrives here. */
const anonymousVolumes = (body: JsonObject): readonly MountRequest[] =>
  Object.keys(objectAt(body, "Volumes")).map((target) => volumeWithoutName(target));

/** @throws DockerFault BAD_REQUEST */
export const volumeWithoutName = (target: string): MountRequest => ({
  ...{ type: "volume", source: "", readOnly: false, create: true },
  target: absolute(target, target),
});

function absolute(path: string, from: string): string {
  if (path.startsWith("/") && !path.includes("\0") && !path.split("/").includes(".."))
    return path.replace(/(?<=.)\/+$/, "");
  throw bad(`invalid mount path: '${path.slice(0, 200)}' must be absolute, without .. (${from.slice(0, 200)})`);
}

/** `--cpus`, or a quota of a period. */
function cpusOf(host: JsonObject): number {
  const nano = amount(host, "NanoCpus");
  if (nano > 0) return nano / 1e9;
  const quota = amount(host, "CpuQuota");
  const period = amount(host, "CpuPeriod");
  return quota > 0 ? quota / (period > 0 ? period : 100_000) : 0;
}

const restartNames: readonly RestartName[] = ["no", "always", "on-failure", "unless-stopped"];

/** @throws DockerFault BAD_REQUEST */
function restartOf(host: JsonObject): RestartPolicy {
  const text = textAt(host, "RestartPolicy", "Name") ?? "";
  const name = text === "" ? "no" : restartNames.find((one) => one === text);
  if (name === undefined) throw bad(`invalid restart policy: unknown policy '${text.slice(0, 60)}'`);
  const retriesMax = amount(objectAt(host, "RestartPolicy"), "MaximumRetryCount");
  if (retriesMax > 0 && name !== "on-failure")
    throw bad("invalid restart policy: maximum retry count can only be used with 'on-failure'");
  return { name, retriesMax };
}

function networksOf(body: JsonObject): readonly NetworkRequest[] {
  const endpoints = objectAt(body, "NetworkingConfig", "EndpointsConfig");
  return Object.entries(endpoints).map(([name, endpoint]) => ({
    name,
    aliases: isJsonObject(endpoint) ? texts(endpoint, "Aliases") : [],
  }));
}

/** @throws DockerFault BAD_REQUEST */
function ioWeightOf(host: JsonObject): number {
  const weight = numberAt(host, "BlkioWeight") ?? 0;
  if (weight === 0 || (Number.isInteger(weight) && weight >= 10 && weight <= 1000)) return weight;
  throw bad("Range of blkio weight is from 10 to 1000");
}

/** As the kernel takes them: less is its least, and more its most. */
function cpuSharesOf(host: JsonObject): number {
  const shares = amount(host, "CpuShares");
  return shares === 0 ? 0 : Math.min(262_144, Math.max(2, Math.round(shares)));
}

/** @throws DockerFault BAD_REQUEST */
function cpusetOf(host: JsonObject): string {
  const text = textAt(host, "CpusetCpus") ?? "";
  if (text === "" || (text.length <= 4096 && /^\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*$/.test(text))) return text;
  throw bad(`Invalid value ${text.slice(0, 60)} for cpuset cpus`);
}

/** A number that is not negative; -1 is Docker's "not set". */
function amount(from: JsonObject, name: string): number {
  const value = numberAt(from, name) ?? 0;
  return Number.isFinite(value) && value > 0 ? value : 0;
}

/** A list of texts, or old clients' one text. Undefined when it is not set. */
function wordsAt(body: JsonObject, name: string): readonly string[] | undefined {
  const value = dig(body, name);
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return [value];
  return texts(body, name);
}

function texts(from: JsonObject, name: string): readonly string[] {
  return listAt(from, name).map((item) => {
    if (typeof item === "string" && !item.includes("\0")) return item;
    throw bad(`${name} is no list of texts`);
  });
}

const isTrue = (from: Json | undefined, name: string): boolean => dig(from, name) === true;
const bad = (message: string): DockerFault => new DockerFault("BAD_REQUEST", message);
const unsupported = (what: string): DockerFault => new DockerFault("UNSUPPORTED", `not supported: ${what}`);
