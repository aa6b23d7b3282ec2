import {
  annotation,
  type Container,
  type EnvVar,
  listAt,
  objectAt,
  type NewObject,
  type Pod,
  type PodSpec,
  type PodVolume,
  type SecurityContext,
} from "@shallop/sdk/api";
import { DockerFault } from "../http/docker-fault.ts";
import type { ContainerRecord } from "./container-record.ts";
import { type ContainerRequest, type MountRequest, parseCreateBody, parsePort } from "./create-body.ts";
import { checkShell, healthProbe, imageHealthcheck } from "./healthcheck.ts";
import { initCommand, initMounts, literal, namesOf, numbersOf, processWish } from "./process-wish.ts";

/** Where containers of the Docker API are, for kubectl. */
export const dockerNamespace = "docker";
/** On their pods: the first 12 digits of the id, by which they are chosen; the whole id; the name; the create request. */
export const dockerLabel = "docker.shallop.dev/container";
export const dockerAnnotation = {
  id: "docker.shallop.dev/id",
  name: "docker.shallop.dev/name",
  create: "docker.shallop.dev/create",
} as const;
/** Name of the one container of such a pod. */
export const podContainer = "main";

/** Of the machine, for what a container may use when nobody bounds it. */
export interface Machine {
  readonly nodeName: string;
  readonly memoryBytes: number;
  readonly cpus: number;
  /** Where a named volume's files are. */
  volumePath(name: string): string;
  /** A program that is the first of a container and reaps what its children leave; undefined: this machine has none. */
  readonly initProgram?: string;
}

interface NamedMount {
  readonly name: string;
  readonly mount: MountRequest;
}

/** What is counted of a container that asks for nothing in particular. */
const requestDefaults = { milliCpu: 10, memoryBytes: 32 << 20 } as const;
const stopSecondsDefault = 10;
/** As Docker: a tenth of a second, then twice as long each time. */
const restartAfter = "100ms";

/**
 * What Docker's containers have beyond native pods' own six and package managers cannot do without: set-id bits, file
 * capabilities, chroot. Raw sockets, device nodes and audit are to be asked for.
 */
const capabilitiesAdded = ["FSETID", "SETFCAP", "SYS_CHROOT"] as const;

/** The pod that a container is; `isRead`: somebody waits for what it will say. Pure. @throws DockerFault UNSUPPORTED */
export function podOf(record: ContainerRecord, machine: Machine, isRead = false): NewObject<Pod> {
  const request = parseCreateBody(record.body);
  const create = JSON.stringify(record.body);
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      namespace: dockerNamespace,
      name: record.pod ?? record.id.slice(0, 12),
      labels: { [dockerLabel]: record.id.slice(0, 12), ...validLabels(request.labels) },
      annotations: {
        [dockerAnnotation.id]: record.id,
        [dockerAnnotation.name]: record.name,
        [dockerAnnotation.create]: create,
        [annotation.root]: record.id,
        [annotation.log]: record.id,
        [annotation.restartAfter]: restartAfter,
        [annotation.serviceVariables]: "none",
        ...networksOf(record),
        ...(isRead ? { [annotation.holdsOutput]: "true" } : {}),
        ...shareAnnotations(request, machine),
        ...terminalSizeOf(record, request),
        ...variantWish(record, request),
        ...processWish(record, request),
      },
    },
    spec: specOf(record, request, machine),
  };
}

/** What part of the machine's processors and disks it has. Pure. @throws DockerFault BAD_REQUEST */
export function shareAnnotations(
  { ioWeight, cpuShares, cpuset }: Pick<ContainerRequest, "ioWeight" | "cpuShares" | "cpuset">,
  { cpus }: Pick<Machine, "cpus">,
): Record<string, string> {
  if (cpuset.split(/[-,]/).some((number) => Number(number) >= cpus)) {
    const there = `0-${String(cpus - 1)}`;
    throw new DockerFault("BAD_REQUEST", `Requested CPUs are not available - requested ${cpuset}, available: ${there}`);
  }
  return {
    ...(ioWeight === 0 ? {} : { [annotation.ioWeight]: String(ioWeight) }),
    ...(cpuShares === 0 ? {} : { [annotation.cpuShares]: String(cpuShares) }),
    ...(cpuset === "" ? {} : { [annotation.cpus]: cpuset }),
  };
}

function specOf(record: ContainerRecord, request: ContainerRequest, machine: Machine): PodSpec {
  const mounts = mountsOf(request, machine).map((mount, index) => ({ mount, name: `v${String(index)}` }));
  const { stopSeconds } = request;
  return {
    nodeName: machine.nodeName,
    restartPolicy: podRestart(request),
    terminationGracePeriodSeconds: stopSeconds ?? stopSecondsDefault,
    ...securityOfPod(request),
    ...namesOf(record, request),
    containers: [containerOf(record, request, { machine, mounts })],
    volumes: mounts.map(({ mount, name }): PodVolume => {
      if (mount.type === "tmpfs") {
        const { sizeBytes } = mount;
        return { name, emptyDir: { medium: "Memory", ...(sizeBytes === undefined ? {} : { sizeLimit: sizeBytes }) } };
      }
      if (mount.type === "bind") {
        return { name, hostPath: { path: mount.source, type: "" } };
      }
      return { name, hostPath: { path: machine.volumePath(record.volumes[mount.target] ?? mount.source), type: "" } };
    }),
  };
}

/** What is mounted: what was asked for, the shared memory when its size was, and the program for --init. */
function mountsOf(request: ContainerRequest, machine: Machine): readonly MountRequest[] {
  const { mounts, shmBytes } = request;
  const shm: MountRequest = {
    ...{ type: "tmpfs", source: "", target: "/dev/shm", readOnly: false, create: true, sizeBytes: shmBytes },
  };
  const isOwn = shmBytes > 0 && !mounts.some(({ target }) => target === shm.target);
  return [...mounts, ...(isOwn ? [shm] : []), ...initMounts(request, machine)];
}

const podRestart = ({ restart }: ContainerRequest): "Never" | "OnFailure" | "Always" =>
  restart.name === "no" ? "Never" : restart.name === "on-failure" ? "OnFailure" : "Always";

export interface Amounts {
  readonly limits: { readonly cpu: string; readonly memory: string };
  readonly requests: { readonly cpu: string; readonly memory: string };
}

/** What a container may use: all of the machine when nobody bounds it. Nothing is counted of it that it may not use. */
export function amountsOf(
  request: Pick<ContainerRequest, "cpus" | "memoryBytes">,
  machine: Pick<Machine, "cpus" | "memoryBytes">,
): Amounts {
  const milli = Math.max(1, Math.round((request.cpus > 0 ? request.cpus : machine.cpus) * 1000));
  const bytes = request.memoryBytes > 0 ? request.memoryBytes : machine.memoryBytes;
  const { milliCpu, memoryBytes } = requestDefaults;
  return {
    limits: { cpu: `${String(milli)}m`, memory: String(bytes) },
    requests: { cpu: `${String(Math.min(milli, milliCpu))}m`, memory: String(Math.min(bytes, memoryBytes)) },
  };
}

function containerOf(
  record: ContainerRecord,
  request: ContainerRequest,
  { machine, mounts }: { readonly machine: Machine; readonly mounts: readonly NamedMount[] },
): Container {
  const check = imageHealthcheck(record);
  const ports = portsOf(record, request);
  return {
    name: podContainer,
    image: record.podImage,
    ...(request.init ? initCommand(record, request) : commandOf(request)),
    env: environmentOf(request),
    ...(request.workingDir === "" ? {} : { workingDir: request.workingDir }),
    ...(ports.length === 0 ? {} : { ports }),
    resources: amountsOf(request, machine),
    securityContext: securityOf(request),
    ...(request.openStdin ? { stdin: true } : {}),
    ...(request.openStdin && request.stdinOnce ? { stdinOnce: true } : {}),
    ...(request.tty ? { tty: true } : {}),
    volumeMounts: mounts.map(({ name, mount: { target, readOnly } }) => ({ name, mountPath: target, readOnly })),
    ...(check === undefined ? {} : { readinessProbe: healthProbe(check, checkShell(record)) }),
  };
}

/** An entrypoint that is given takes the image's command away, too: that holds here as there. */
function commandOf({ entrypoint, cmd }: ContainerRequest): Pick<Container, "command" | "args"> {
  const args = (cmd ?? []).map(literal);
  if (entrypoint === undefined || (entrypoint.length === 0 && args.length === 0))
    return args.length === 0 ? {} : { args };
  const command = entrypoint.map(literal);
  return command.length === 0 ? { command: args } : { command, ...(args.length === 0 ? {} : { args }) };
}

/** Each name once, the last one counts. */
function environmentOf({ env, tty }: ContainerRequest): readonly EnvVar[] {
  const variables = new Map<string, string>(tty ? [["TERM", "xterm"]] : []);
  for (const text of env) {
    const equals = text.indexOf("=");
    if (equals > 0) variables.set(text.slice(0, equals), text.slice(equals + 1));
  }
  return [...variables].map(([name, value]) => ({ name, value: literal(value) }));
}

/** What the image and the client name as ports, for kubectl and for the component behind the first. */
function portsOf(
  { imageConfig }: ContainerRecord,
  { exposedPorts, ports }: ContainerRequest,
): NonNullable<Container["ports"]> {
  const exposed = [
    ...ports.map(({ containerPort, protocol }) => `${String(containerPort)}/${protocol}`),
    ...exposedPorts,
  ];
  const named = [...new Set([...exposed, ...parseCreateBody(imageConfig).exposedPorts])].map(parsePort);
  return named.map(({ port, protocol }) => ({ containerPort: port, protocol: protocol.toUpperCase() }));
}

function securityOf(request: ContainerRequest): SecurityContext {
  const { privileged, capAdd, capDrop, noNewPrivileges, readOnlyRoot, seccompUnconfined } = request;
  const names = (list: readonly string[]): readonly string[] =>
    list.map((name) => name.toUpperCase().replace(/^CAP_/, ""));
  const dropped = names(capDrop);
  const kept = dropped.includes("ALL") ? [] : capabilitiesAdded.filter((name) => !dropped.includes(name));
  return {
    readOnlyRootFilesystem: readOnlyRoot,
    allowPrivilegeEscalation: !noNewPrivileges,
    privileged,
    capabilities: {
      add: [...new Set([...kept, ...names(capAdd)])],
      drop: names(capDrop),
    },
    ...(seccompUnconfined ? { seccompProfile: { type: "Unconfined" } } : {}),
  };
}

function securityOfPod({ user, sysctls, groups }: ContainerRequest): Pick<PodSpec, "securityContext"> {
  const list = Object.entries(sysctls).map(([name, value]) => ({ name, value }));
  return {
    securityContext: {
      ...numbersOf(user),
      ...(groups.length === 0 ? {} : { supplementalGroups: groups }),
      ...(list.length === 0 ? {} : { sysctls: list }),
    },
  };
}

/** That of the client's terminal: rows first. */
function terminalSizeOf({ body }: ContainerRecord, { tty }: ContainerRequest): Record<string, string> {
  const [rows, columns] = listAt(objectAt(body, "HostConfig"), "ConsoleSize");
  if (!tty || typeof rows !== "number" || typeof columns !== "number" || rows < 1 || columns < 1) return {};
  return { [annotation.terminalSize]: `${String(columns)}x${String(rows)}` };
}

/** As Docker's own: containers have names for each other in networks that somebody has made, and in no other. */
export const predefinedNetworks: readonly string[] = ["bridge", "host", "none"];

/** The networks that it shares with others, with its names there. Pure. */
export function networksOf({
  networks,
  name,
  id,
}: Pick<ContainerRecord, "networks" | "name" | "id">): Record<string, string> {
  const shared = Object.entries(networks).filter(([network]) => !predefinedNetworks.includes(network));
  const named = shared.map(([network, aliases]) => [network, [...new Set([name, id.slice(0, 12), ...aliases])]]);
  return named.length === 0 ? {} : { [annotation.networks]: JSON.stringify(Object.fromEntries(named)) };
}

/**
 * Which variant is to run: the one that `--platform` says. A terminal and an entrypoint are rather a native program's;
 * arguments and an input are, too, where the component is none that takes them.
 */
function variantWish(
  { platform, hasWasmCommand }: ContainerRecord,
  { tty, openStdin, entrypoint, cmd }: ContainerRequest,
): Record<string, string> {
  if (platform !== "") return { [annotation.onlyVariant]: platform.includes("wasm") ? "wasm" : "native" };
  const takesAll = hasWasmCommand || (!openStdin && (cmd?.length ?? 0) === 0);
  const isForComponent = takesAll && !tty && (entrypoint?.length ?? 0) === 0;
  return isForComponent ? {} : { [annotation.preferVariant]: "native" };
}

const labelKey = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const labelValue = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

/** Those of Docker's labels that can be Kubernetes' too; all of them are in the annotation, as they were sent. */
const validLabels = (labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(labels).filter(
      ([key, value]) =>
        labelKey.test(key) && labelValue.test(value) && !/(^|\.)(kubernetes\.io|k8s\.io|shallop\.dev)\//.test(key),
    ),
  );
