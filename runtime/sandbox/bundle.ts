import { assert } from "@shallop/sdk/internal";
import type { TerminalSize } from "../pod/container-process.ts";
import type { PodLimits } from "../pod/pod-runtime.ts";
import type { ImageProcess } from "./image-process.ts";
import { cpuPeriodUs, cpuQuotaUs, cpuShares } from "./kernel/cgroup.ts";
import type { IdRange } from "./kernel/kernel.ts";
import { podRootPath, podSysPath, podVolumePath } from "./kernel/pod-mounts.ts";
import type { OciLinux, OciMount, OciResources, OciSpec } from "./oci-spec.ts";
import type { ContainerRights } from "./rights.ts";
import type { OwnUsers } from "./rootless/own-users.ts";
import type { Rootless } from "./rootless/rootless.ts";
import type { SeccompArch } from "./seccomp.ts";

/** All that a bundle's `config.json` says; nothing in it is a path that an image chose. */
export interface BundleInput {
  readonly hostname: string;
  readonly process: ImageProcess;
  readonly rights: ContainerRights;
  readonly limits: PodLimits;
  /** The processors that it may run on; undefined: all. */
  readonly cpus?: string | undefined;
  /** Undefined: without a user namespace. */
  readonly users?: IdRange;
  readonly networkNamespace: string;
  /** An IPC namespace to be shared, by path; undefined: one of its own. */
  readonly ipcNamespace?: string;
  /** Mounts of volumes, in order. */
  readonly volumes?: readonly VolumeOnPath[];
  /** The program has a terminal. */
  readonly terminal?: boolean;
  readonly terminalSize?: TerminalSize | undefined;
  readonly cgroupsPath: string;
  readonly machine: BundleMachine<OwnUsers>;
}

/** The volume of this number (podVolumePath) at a path of the container; no link of the image leads elsewhere. */
export interface VolumeOnPath {
  readonly path: string;
  readonly readOnly: boolean;
}

/** What this machine's kernel can do for a container. */
export interface BundleMachine<Own extends OwnUsers = Rootless> {
  readonly arch: SeccompArch;
  readonly cgroupV2: boolean;
  /** The v1 memory controller counts swap. v2 does always, or there is no swap. */
  readonly swapLimit: boolean;
  readonly ipv6: boolean;
  /** Pods have user namespaces, with owners of files shifted. */
  readonly shiftsUsers: boolean;
  /** What this process may hand on at most. */
  readonly openFilesMax: number;
  /** It is an ordinary user who does it. */
  readonly rootless?: Own;
}

const hasCgroups = ({ rootless }: BundleMachine<OwnUsers>): boolean => rootless?.hasCgroups ?? true;

// Enough for ten thousand connections and their files; a program that leaks them stops before the machine has none.
const openFilesWanted = 65_536;
// Twice the middle between "never" and "first": under memory pressure of the machine pods go before the node.
const oomScoreAdj = 500;
/** The runtime's own start has a dozen threads in the pod's cgroup for a moment. */
export const pidsMin = 32;
/** runc and a program's loader do not start in less. */
export const memoryBytesMin = 12 << 20;

// What Docker gives. Pages of it count as the pod's memory, as those of every tmpfs here.
const shmBytes = 64 << 20;
// A quarter of the pod's memory, at most this: a full /tmp leaves the program what it needs to say so.
const scratchBytesMax = 256 << 20;

/** The bundle's `config.json`: OCI runtime-spec v1.0.2, the version that every runtime in use reads. Pure. */
export function bundleConfig(input: BundleInput): OciSpec {
  assert(input.cgroupsPath.startsWith("/"), "a relative cgroup path would be below the agent's own");
  const { user, args, env, cwd } = input.process;
  const { terminal = false, terminalSize: size } = input;
  return {
    ociVersion: "1.0.2",
    hostname: input.hostname,
    process: {
      terminal,
      ...(terminal && size !== undefined ? { consoleSize: { height: size.rows, width: size.columns } } : {}),
      user,
      args,
      env: [...(terminal && !hasTerm(env) ? ["TERM=xterm"] : []), ...env, `HOSTNAME=${input.hostname}`],
      cwd,
      capabilities: input.rights.capabilities,
      rlimits: resourceLimits(input),
      noNewPrivileges: input.rights.noNewPrivileges,
      oomScoreAdj,
    },
    root: { path: podRootPath, readonly: input.rights.readOnlyRoot },
    mounts: [...mounts(input), ...volumeMounts(input.volumes ?? [])],
    linux: linux(input),
  };
}

function resourceLimits(input: BundleInput): OciSpec["process"]["rlimits"] {
  const { rights, machine } = input;
  const { openFilesMax } = machine;
  const openFiles = Math.min(openFilesWanted, openFilesMax);
  const asked = rights.resourceLimits.map(({ name, soft, hard }) => {
    const max = name === "nofile" ? openFilesMax : hard;
    return { type: `RLIMIT_${name.toUpperCase()}`, hard: Math.min(hard, max), soft: Math.min(soft, max) };
  });
  const always = [
    { type: "RLIMIT_NOFILE", hard: openFiles, soft: openFiles },
    // A core of a guest would be written by the machine's own handler, outside of all limits.
    { type: "RLIMIT_CORE", hard: 0, soft: 0 },
    ...(hasCgroups(machine) ? [] : withoutCgroups(input.limits)),
  ];
  return [...always.filter(({ type }) => !asked.some((one) => one.type === type)), ...asked];
}

// What a language runtime takes for its threads' stacks and its heap's reserve before it does anything.
const dataBytesMin = 512 << 20;
const dataFactor = 4;

/**
 * What stands in for cgroups where there are none: processes are counted by the pod's user namespace; each process's own data is
 * bounded, loosely, for programs take more than they use.
 */
function withoutCgroups({ pidsMax, memoryBytes }: PodLimits): OciSpec["process"]["rlimits"] {
  const [pids, data] = [Math.max(pidsMin, pidsMax), Math.max(dataBytesMin, dataFactor * memoryBytes)];
  return [
    { type: "RLIMIT_NPROC", hard: pids, soft: pids },
    { type: "RLIMIT_DATA", hard: data, soft: data },
  ];
}

const hasTerm = (env: readonly string[]): boolean => env.some((variable) => variable.startsWith("TERM="));

const volumeMounts = (volumes: readonly VolumeOnPath[]): readonly OciMount[] =>
  volumes.map(({ path, readOnly }, index) => ({
    destination: path,
    type: "bind",
    source: podVolumePath(index),
    options: ["rbind", readOnly ? "ro" : "rw", "nosuid", "nodev"],
  }));

function mounts(input: BundleInput): readonly OciMount[] {
  const { ipcNamespace, users, machine, rights } = input;
  const { memoryBytes } = input.limits;
  const { rootless } = machine;
  const scratchBytes = Math.min(scratchBytesMax, Math.floor(memoryBytes / 4));
  const scratch = (destination: string, bytes: number, options: readonly string[]): OciMount => ({
    destination,
    type: "tmpfs",
    source: "tmpfs",
    options: ["nosuid", "nodev", ...options, `size=${bytes}`],
  });
  const kernel = (destination: string, type: string, options: readonly string[]): OciMount => ({
    destination,
    type,
    source: type,
    options: ["nosuid", "noexec", ...options],
  });
  return [
    kernel("/proc", "proc", ["nodev"]),
    {
      destination: "/dev",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "noexec", "strictatime", "mode=755", "size=65536"],
    },
    kernel("/dev/pts", "devpts", ["newinstance", "ptmxmode=0666", "mode=0620", ...terminalGroup(rootless)]),
    scratch("/dev/shm", Math.min(shmBytes, memoryBytes), ["noexec", "mode=1777"]),
    // Of another user namespace's IPC the kernel lets nobody mount the queues.
    ...(ipcNamespace === undefined || users === undefined ? [kernel("/dev/mqueue", "mqueue", ["nodev"])] : []),
    // Made with the root, of the pod's own network: a container in a user namespace may not make one of it.
    { destination: "/sys", type: "bind", source: podSysPath, options: ["rbind", "ro", "nosuid", "noexec", "nodev"] },
    // Language runtimes read their limits here and size their heaps by them.
    ...(hasCgroups(machine) ? [kernel("/sys/fs/cgroup", "cgroup", ["nodev", "ro"])] : []),
    // Who may write to the root has there what the image has: directories of services that are not root are in /run.
    ...(rights.readOnlyRoot
      ? [
          scratch("/tmp", scratchBytes, ["mode=1777"]),
          scratch("/var/tmp", scratchBytes, ["noexec", "mode=1777"]),
          scratch("/run", scratchBytes, ["noexec", "mode=755"]),
        ]
      : []),
  ];
}

const ttyGroup = 5;
const terminalGroup = (rootless: OwnUsers | undefined): readonly string[] =>
  rootless !== undefined && rootless.idCount <= ttyGroup ? [] : [`gid=${ttyGroup}`];

function linux(input: BundleInput): OciLinux {
  const { seccomp, maskedPaths, readonlyPaths, otherSysctls } = input.rights;
  return {
    namespaces: [
      { type: "pid" },
      { type: "network", path: input.networkNamespace },
      { type: "ipc", ...(input.ipcNamespace === undefined ? {} : { path: input.ipcNamespace }) },
      { type: "uts" },
      { type: "mount" },
      { type: "cgroup" },
      ...(input.users === undefined ? [] : [{ type: "user" } as const]),
    ],
    ...userMappings(input),
    ...(hasCgroups(input.machine) ? { cgroupsPath: input.cgroupsPath, resources: resources(input) } : {}),
    ...(seccomp === undefined ? {} : { seccomp }),
    maskedPaths,
    readonlyPaths,
    ...(Object.keys(otherSysctls).length === 0 ? {} : { sysctl: otherSysctls }),
    rootfsPropagation: "private",
  };
}

function userMappings({ users, machine }: BundleInput): Pick<OciLinux, "uidMappings" | "gidMappings"> {
  if (users === undefined) return {};
  const same = ({ first, size }: IdRange) => ({ containerID: first, hostID: first, size });
  if (machine.rootless !== undefined) {
    return { uidMappings: machine.rootless.users.map(same), gidMappings: machine.rootless.groups.map(same) };
  }
  const mappings = [{ containerID: 0, hostID: users.first, size: users.size }];
  return { uidMappings: mappings, gidMappings: mappings };
}

/** Settings of a pod's network namespace. */
export const networkSysctls = (
  machine: Pick<BundleMachine, "ipv6">,
  hasLink: boolean,
): Readonly<Record<string, string>> => ({
  // With this, programs that serve on port 80 need neither root nor a capability.
  "net.ipv4.ip_unprivileged_port_start": "0",
  // What pods send each other goes by the machine, which holds it to its rules; none is to be told of a shorter way.
  "net.ipv4.conf.all.accept_redirects": "0",
  ...(hasLink ? { "net.ipv4.conf.eth0.accept_redirects": "0" } : {}),
  // The pod's link speaks IPv4 only. Loopback keeps ::1, which programs like to listen on.
  ...(machine.ipv6 && hasLink ? { "net.ipv6.conf.eth0.disable_ipv6": "1" } : {}),
});

function resources(input: BundleInput): OciResources {
  const { memoryBytes, cpu, pidsMax } = input.limits;
  const { cgroupV2, swapLimit } = input.machine;
  const limit = Math.max(memoryBytesMin, memoryBytes);
  return {
    // Runtimes add the harmless ones: null, zero, full, random, urandom, tty, pts.
    devices: [{ allow: false, access: "rwm" }],
    // Memory and swap together: the same number leaves no swap.
    memory: { limit, ...(swapLimit ? { swap: limit } : {}) },
    cpu: {
      shares: cpuShares(cpu),
      quota: cpuQuotaUs(cpu),
      period: cpuPeriodUs,
      ...(input.cpus === undefined ? {} : { cpus: input.cpus }),
    },
    pids: { limit: Math.max(pidsMin, pidsMax) },
    // All of a pod or nothing: half a pod looks alive and is not.
    ...(cgroupV2 ? { unified: { "memory.oom.group": "1" } } : {}),
  };
}
