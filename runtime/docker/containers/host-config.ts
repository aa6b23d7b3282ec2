import { isIP } from "node:net";
import { dig, isJsonObject, type Json, type JsonObject, listAt, numberAt, objectAt, textAt } from "@shallop/sdk/api";
import { DockerFault } from "../http/docker-fault.ts";

/** Refuses what would weaken the walls between a container and the machine, or would silently not be so. @throws DockerFault */
export function checkHostConfig(host: JsonObject): void {
  for (const [field, flag] of Object.entries(namespaceModes)) {
    const mode = textAt(host, field) ?? "";
    if (mode === "host" || mode.startsWith("container:"))
      throw unsupported(`${flag}=${mode}: containers have namespaces of their own`);
  }
  const driver = textAt(host, "VolumeDriver") ?? "";
  if (!["", "local"].includes(driver)) throw unsupported(`--volume-driver ${driver.slice(0, 60)}; there is local`);
  const refused = Object.entries(refusals).find(([field]) => isGiven(dig(host, field)));
  if (refused !== undefined) throw unsupported(refused[1]);
  // null is the daemon's own; an empty list is none at all.
  if (Array.isArray(dig(host, "MaskedPaths")) || Array.isArray(dig(host, "ReadonlyPaths")))
    throw unsupported("--security-opt systempaths=unconfined: what the kernel tells of the machine stays closed");
  if (listAt(host, "DeviceRequests").length > 0)
    throw new DockerFault("FAILED", 'could not select device driver "" with capabilities: [[gpu]]');
  checkLogDriver(host);
  checkRuntime(host);
  textsIn(host, "SecurityOpt").forEach((option, index) => checkSecurityOption(option, index));
}

const namespaceModes = {
  ...{ PidMode: "--pid", IpcMode: "--ipc", UTSMode: "--uts", CgroupnsMode: "--cgroupns", UsernsMode: "--userns" },
} as const;

const refusals: Readonly<Record<string, string>> = {
  Devices: "--device: containers have no devices of the machine",
  DeviceCgroupRules: "--device-cgroup-rule: containers have no devices of the machine",
  VolumesFrom: "--volumes-from: name the volumes",
  Links: "--link: containers of one network find each other by name; see docker network create",
  CgroupParent: "--cgroup-parent: the node keeps its pods in a tree of its own",
  StorageOpt: "--storage-opt",
  OomKillDisable: "--oom-kill-disable: a container is held to its memory",
};

/** Clients send each field, with nothing in it where it was not given. */
const isGiven = (value: unknown): boolean =>
  Array.isArray(value)
    ? value.length > 0
    : isJsonObject(value)
      ? Object.keys(value).length > 0
      : value !== undefined && value !== null && value !== "" && value !== false;

/** The node keeps logs, which `docker logs` reads and rotates: no other driver's place is there. */
function checkLogDriver(host: JsonObject): void {
  const driver = textAt(host, "LogConfig", "Type") ?? "";
  if (["", "json-file", "local"].includes(driver)) return;
  throw new DockerFault(
    "BAD_REQUEST",
    `logger: no log driver named '${driver.slice(0, 40)}' is registered: there are json-file and local`,
  );
}

/** The node chooses between those that it has. */
function checkRuntime(host: JsonObject): void {
  const runtime = textAt(host, "Runtime") ?? "";
  if (["", "shallop", "runc", "crun", "io.containerd.runc.v2"].includes(runtime)) return;
  throw new DockerFault("BAD_REQUEST", `unknown or invalid runtime name: ${runtime.slice(0, 60)}`);
}

function checkSecurityOption(option: string, index: number): void {
  const [name, value = ""] = option.split(/[:=](.*)/s);
  if (name === "no-new-privileges" && ["", "true", "false"].includes(value)) return;
  if (name === "seccomp" && ["unconfined", "builtin"].includes(value)) return;
  // There is neither here, which is what these words ask for.
  if (name === "apparmor" && ["unconfined", "docker-default"].includes(value)) return;
  if (name === "label" && value === "disable") return;
  if (["seccomp", "apparmor", "label", "systempaths", "writable-cgroups"].includes(name ?? ""))
    throw unsupported(`--security-opt ${option.slice(0, 80)}`);
  throw new DockerFault(
    "BAD_REQUEST",
    `invalid --security-opt ${String(index + 1)}: ${JSON.stringify(option.slice(0, 80))}`,
  );
}

/** An address that somebody chose is not given. @throws DockerFault UNSUPPORTED */
export function checkNetworking(body: JsonObject): void {
  const endpoints = Object.values(objectAt(body, "NetworkingConfig", "EndpointsConfig"));
  const has = (test: (endpoint: JsonObject) => boolean): boolean =>
    endpoints.some((one) => isJsonObject(one) && test(one));
  if (has((one) => isGiven(dig(one, "IPAMConfig", "IPv4Address")) || isGiven(dig(one, "IPAMConfig", "IPv6Address"))))
    throw unsupported("--ip: the node gives containers their addresses; they find each other by name");
  if (has((one) => isGiven(dig(one, "MacAddress"))) || isGiven(dig(body, "MacAddress")))
    throw unsupported("--mac-address");
}

const mountModes: ReadonlySet<string> = new Set([
  "",
  "ro",
  "rw",
  "z",
  "Z",
  "nocopy",
  "private",
  "rprivate",
  "consistent",
  "cached",
  "delegated",
]);

/** The options of `-v`. @throws DockerFault BAD_REQUEST, UNSUPPORTED */
export function checkMountMode(options: string): void {
  const strange = options.split(",").find((one) => !mountModes.has(one));
  if (strange === undefined) return;
  if (/^r?(shared|slave)$/.test(strange)) throw unsupported(`-v …:${strange}: mounts do not travel between containers`);
  throw new DockerFault("BAD_REQUEST", `invalid mode: ${options.slice(0, 60)}`);
}

/** Volumes are directories of this machine, and nothing else. @throws DockerFault UNSUPPORTED */
export function checkVolumeOptions(mount: Json): void {
  const driver = textAt(mount, "VolumeOptions", "DriverConfig", "Name") ?? "";
  if (!["", "local"].includes(driver))
    throw unsupported(`the volume driver ${JSON.stringify(driver.slice(0, 60))}; there is local`);
  if (
    isGiven(dig(mount, "VolumeOptions", "DriverConfig", "Options")) ||
    isGiven(dig(mount, "VolumeOptions", "Subpath"))
  )
    throw unsupported("--mount volume-opt, volume-subpath: a directory of yours is mounted with type=bind");
}

/** `--add-host NAME:ADDRESS`. @throws DockerFault BAD_REQUEST, UNSUPPORTED */
export function extraHostsOf(host: JsonObject): readonly { readonly ip: string; readonly name: string }[] {
  return textsIn(host, "ExtraHosts").map((entry) => {
    const [, name = "", given = ""] = /^([^:=\s]{1,253})[:=](\S+)$/.exec(entry) ?? [];
    const ip = given.replace(/^\[(.*)\]$/, "$1");
    if (ip === "host-gateway") throw unsupported("--add-host …:host-gateway: containers do not reach this machine");
    if (isIP(ip) !== 0 && /^[A-Za-z0-9_][-A-Za-z0-9_.]*$/.test(name)) return { ip, name };
    throw new DockerFault("BAD_REQUEST", `bad format for add-host: ${JSON.stringify(entry.slice(0, 100))}`);
  });
}

/** `--group-add`, by number. @throws DockerFault UNSUPPORTED */
export const groupsOf = (host: JsonObject): readonly number[] =>
  textsIn(host, "GroupAdd").map((group) => {
    if (/^\d{1,9}$/.test(group)) return Number(group);
    throw unsupported(`--group-add ${JSON.stringify(group.slice(0, 40))}: give numbers`);
  });

/** Those that a pod's node takes; it makes bounds narrower, and none wider. @throws DockerFault BAD_REQUEST, UNSUPPORTED */
export function ulimitsOf(host: JsonObject): Readonly<Record<string, readonly [soft: number, hard: number]>> {
  const limits = listAt(host, "Ulimits").map((limit): [string, readonly [number, number]] => {
    const name = textAt(limit, "Name") ?? "";
    const [soft, hard] = [numberAt(limit, "Soft") ?? 0, numberAt(limit, "Hard") ?? 0];
    if (["core", "nice", "rtprio", "rttime"].includes(name) && (soft !== 0 || hard !== 0))
      throw unsupported(`--ulimit ${name}: it reaches beyond the container`);
    if (soft < 0 || hard < 0) throw unsupported(`--ulimit ${name}=-1: give a number`);
    if (soft > hard)
      throw new DockerFault(
        "BAD_REQUEST",
        `ulimit soft limit must be less than or equal to hard limit: ${String(soft)} > ${String(hard)}`,
      );
    return [name, [soft, hard]];
  });
  return Object.fromEntries(limits.filter(([name]) => !["core", "nice", "rtprio", "rttime"].includes(name)));
}

const textsIn = (host: JsonObject, name: string): readonly string[] =>
  listAt(host, name).filter((item) => typeof item === "string");

const unsupported = (what: string): DockerFault => new DockerFault("UNSUPPORTED", `not supported: ${what}`);
