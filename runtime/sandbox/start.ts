import { writeFile } from "node:fs/promises";
import { assert, type Clock } from "@shallop/sdk/internal";
import type { ContainerStreams } from "../pod/containers/container-launch.ts";
import { PodFault, type PodLogLine, type PodObserver } from "../pod/pod-runtime.ts";
import { processorsOf, sharePod } from "./adjust.ts";
import { type BundleMachine, bundleConfig, networkSysctls, type VolumeOnPath } from "./bundle.ts";
import { imageProcess, type NativeLaunch } from "./image-process.ts";
import { lookUp } from "./image-files.ts";
import { inputFifos, openInput } from "./container-input.ts";
import type { IdRange, Kernel, ShimProcess } from "./kernel/kernel.ts";
import type { PodVolume } from "./kernel/pod-mounts.ts";
import type { PodNetwork } from "./network.ts";
import type { OciRuntime } from "./oci-runtime.ts";
import type { OciUser } from "./oci-spec.ts";
import { firstOf, PodOutput } from "./pod-output.ts";
import type { PodFiles, PodNames } from "./pod-files.ts";
import type { PodUsers } from "./pod-users.ts";
import { resolverConfig } from "./resolver-config.ts";
import { type ContainerRights, containerRights } from "./rights.ts";
import type { OwnUsers } from "./rootless/own-users.ts";
import {
  checkLayerCount,
  makeFileInTopLayer,
  makeInTopLayer,
  makePodDirectory,
  makeTopLayer,
  makeWritableDirectory,
} from "./rootfs.ts";

/** What the hooks of a start work with. */
export interface StartTools {
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly network: PodNetwork;
  readonly users: PodUsers;
  readonly runtime: OciRuntime;
  readonly machine: BundleMachine;
  readonly removeFiles: (files: PodFiles) => Promise<void>;
}

/** A start under way; each hook adds what it found out. */
export interface Start {
  readonly launch: NativeLaunch;
  readonly names: PodNames;
  readonly files: PodFiles;
  readonly hostname: string;
  readonly logged: (line: PodLogLine) => void;
  /** For who asks about the pod; absent where it is taken over, and nothing of it begins. */
  readonly noticed?: (notice: Parameters<PodObserver["noticed"]>[1]) => void;
  /** Of one container among several. */
  readonly part?: ContainerPart;
  address?: string;
  /** The ids of this machine that the pod's own stand for; undefined: its own are the machine's. */
  users?: IdRange;
  layersTopFirst?: readonly string[];
  rights?: ContainerRights;
  output?: PodOutput;
  shim?: ShimProcess;
}

/** What one container among several has of its pod. */
interface ContainerPart {
  readonly mounts: readonly PartMount[];
  /** A process whose IPC namespace is the pod's; undefined: none runs yet. */
  readonly ipcOf?: number;
  readonly streams: ContainerStreams;
  /** The pod has no link. */
  readonly isAlone: boolean;
}

export interface PartMount extends PodVolume {
  readonly mountPath: string;
  readonly readOnly: boolean;
}

/** The names and files of a pod are all that undoing needs: it works for a pod of a process that is no more, too. */
export type Remains = Pick<Start, "names" | "files">;

/** A step of a start. Both halves may be repeated; `undo` does not fail over what is not there. */
export interface StartHook {
  readonly name: string;
  run(start: Start, tools: StartTools): Promise<void>;
  undo(remains: Remains, tools: StartTools): Promise<void>;
}

const directoryHook: StartHook = {
  name: "directory",
  run: ({ files }) => makePodDirectory(files),
  undo: async ({ files }, { kernel, removeFiles }) => {
    await kernel.unmountBelow(files.volumes);
    await removeFiles(files);
  },
};

const cgroupHook: StartHook = {
  name: "cgroup",
  // Only memory: the runtime makes what it limits below this one, and this one remembers what it saw.
  run: async ({ names, launch: { shares = {} }, noticed }, { kernel }) => {
    await kernel.cgroups.create(names.cgroup);
    await sharePod(names.cgroup, shares, kernel, noticed);
  },
  undo: ({ names }, { kernel }) => kernel.cgroups.remove(names.cgroup),
};

/** What a pod's containers share, in the order in which it comes up. */
export const sandboxHooks: readonly StartHook[] = [
  directoryHook,
  {
    name: "address",
    run: async (start, { network }) => {
      start.address = await network.claim(start.names);
      network.belongs(start.address, start.launch);
    },
    undo: ({ names }, { network }) => network.release(names),
  },
  {
    name: "users",
    run: async (start, { users, machine }) => {
      if (machine.shiftsUsers) start.users = await claimUsers(start, users);
      else if (machine.rootless !== undefined) start.users = ownUsers(machine.rootless);
    },
    undo: ({ names }, { users }) => users.release(names.key),
  },
  {
    name: "network",
    run: async ({ address }, { network }) => {
      assert(address !== undefined);
      await network.connect(address);
    },
    undo: ({ names }, { network }) => network.disconnect(names),
  },
  cgroupHook,
];

const programHooks: readonly StartHook[] = [
  {
    name: "bundle",
    run: writeBundle,
    // The files go with the directory.
    undo: async () => undefined,
  },
  {
    name: "launch",
    run: launch,
    undo: endRuntime,
  },
];

/** One container among several: files and a cgroup of its own, and its program. */
export const containerHooks: readonly StartHook[] = [directoryHook, cgroupHook, ...programHooks];

/** The order in which a pod of one container comes up. It goes down in the reverse order. */
export const startHooks: readonly StartHook[] = [...sandboxHooks, ...programHooks];

/** @throws PodFault NO_CAPACITY */
async function claimUsers({ names }: Start, users: PodUsers): Promise<IdRange> {
  const range = await users.claim(names.key);
  if (range !== undefined) return range;
  throw new PodFault("NO_CAPACITY", "all user ids for pods of this machine are in use", { retryable: true });
}

/** An ordinary user's node has no ids to give away: its pods have its own, in user namespaces of theirs. */
export const ownUsers = ({ idCount }: OwnUsers): IdRange => ({ first: 0, size: idCount });

/** The users of a pod of an earlier agent. */
export async function usersFound(
  { names }: Remains,
  { users, machine }: Pick<StartTools, "users" | "machine">,
): Promise<IdRange | undefined> {
  if (machine.rootless !== undefined) return ownUsers(machine.rootless);
  return machine.shiftsUsers ? users.find(names.key) : undefined;
}

async function launch(start: Start, { kernel, clock, network, runtime, machine }: StartTools): Promise<void> {
  const { names, files, users, address, layersTopFirst, part, rights } = start;
  assert(address !== undefined && layersTopFirst !== undefined && rights !== undefined);
  using usersNamespace = users === undefined || !machine.shiftsUsers ? undefined : await kernel.userNamespace(users);
  using mounts = await kernel.podMounts({
    layers: layersTopFirst,
    networkNamespace: network.namespacePath(address),
    sysctls: { ...networkSysctls(machine, part?.isAlone !== true), ...rights.networkSysctls },
    allowsSetuid: !rights.noNewPrivileges,
    isRootless: machine.rootless !== undefined,
    ...(rights.readOnlyRoot ? {} : { writableDirectory: files.writable }),
    ...(part === undefined ? {} : { volumes: part.mounts }),
    ...(usersNamespace === undefined ? {} : { usersFd: usersNamespace.fd }),
    ...(runtime.hiddenCgroup === undefined ? {} : { hiddenCgroup: runtime.hiddenCgroup }),
  });
  // Readers come before the only writer can go: with neither, what is in a FIFO is lost.
  await using stdout = await kernel.openFifoForWriting(files.stdout);
  await using stderr = await kernel.openFifoForWriting(files.stderr);
  start.output = PodOutput.open(files, clock, { logged: start.logged, ...firstOf(part?.streams) });
  await using input = await openInput(files, part?.streams, kernel);
  start.shim = runtime.launch({
    names,
    files,
    mountsFd: mounts.fd,
    stdoutFd: stdout.fd,
    stderrFd: stderr.fd,
    terminal: part?.streams.tty === true,
    ...(input === undefined ? {} : { input }),
  });
}

// A killed process is gone within milliseconds; it may be making a cgroup in the kernel, which is not cut short.
const endTries = 500;
const endPauseMs = 10;

/**
 * The shim and the runtime first, until none of them is left: on its way to start the container either could make what
 * is removed next, and either could have begun another program between being looked up and being killed.
 */
export async function endRuntime(
  { names, files }: Remains,
  { kernel, clock, runtime }: Pick<StartTools, "kernel" | "clock" | "runtime">,
): Promise<void> {
  for (let attempt = 0; attempt < endTries; attempt++) {
    const pids = await kernel.processesNaming(files.directory);
    if (pids.length === 0) break;
    for (const pid of pids) kernel.signal(pid, "SIGKILL");
    await clock.sleep(endPauseMs);
  }
  await runtime.remove(names);
}

async function writeBundle(start: Start, tools: StartTools): Promise<void> {
  const { launch, names, files, hostname, address, part } = start;
  assert(address !== undefined);
  const fifos = [files.stdout, files.stderr, ...inputFifos(files, part?.streams)];
  const { nameServer, searches } = tools.network;
  const resolver = resolverConfig({ namespace: launch.namespace, nameServer, searches }, launch.dns);
  makeTopLayer(files, { hostname, address, resolver, hosts: launch.hosts ?? [] });
  tools.kernel.makeFifos(fifos);
  const layersTopFirst = [files.top, ...launch.image.layerPaths.toReversed()];
  const asked = await imageProcess(launch, layersTopFirst);
  const user = asOwnUser(asked.user, tools.machine.rootless);
  const process = { ...asked, user, env: withProxy(asked.env, tools.network.proxy) };
  const { arch, shiftsUsers } = tools.machine;
  const { security } = launch;
  const isRoot = asked.user.uid === 0;
  const rights = containerRights({ ...(security === undefined ? {} : { security }), isRoot, arch, shiftsUsers });
  start.rights = rights;
  if (!rights.readOnlyRoot) await makeWritableDirectory(files, start.users);
  if (process.cwdMissing) makeInTopLayer(files, process.cwd);
  const volumes = await placeVolumes(part?.mounts ?? [], {
    files,
    layersTopFirst,
    own: rights.readOnlyRoot ? ownFileSystems : [ownFileSystems[0]],
  });
  checkLayerCount(layersTopFirst);
  start.layersTopFirst = layersTopFirst;
  const config = bundleConfig({
    hostname,
    process,
    rights,
    limits: launch.limits,
    cpus: processorsOf(launch.shares ?? {}, tools.kernel, start.noticed),
    networkNamespace: tools.network.namespacePath(address),
    ...(start.users === undefined ? {} : { users: start.users }),
    ...(part?.ipcOf === undefined ? {} : { ipcNamespace: `/proc/${String(part.ipcOf)}/ns/ipc` }),
    volumes,
    terminal: part?.streams.tty === true,
    terminalSize: part?.streams.size,
    cgroupsPath: `/${names.runtimeCgroup}`,
    machine: tools.machine,
  });
  await writeFile(files.config, JSON.stringify(config), { mode: 0o600 });
}

/** What programs read of a proxy (curl, wget, Python, Go, …), each in the spelling that it knows. */
const proxyNames = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
const noProxy = "localhost,127.0.0.1,::1";

/** Whoever gives a pod a proxy of its own means it. */
export function withProxy(env: readonly string[], proxy: string | undefined): readonly string[] {
  if (proxy === undefined) return env;
  const wanted = [...proxyNames.map((name) => [name, proxy] as const), ["NO_PROXY", noProxy] as const];
  const both = wanted.flatMap(([name, value]) => [`${name}=${value}`, `${name.toLowerCase()}=${value}`]);
  const given = new Set(env.map((variable) => variable.slice(0, variable.indexOf("=")).toUpperCase()));
  return [...env, ...both.filter((variable) => !given.has(variable.slice(0, variable.indexOf("=")).toUpperCase()))];
}

/** Where a node does not have the user whom the program is to be, it is the only one that there is, without the rights of root. */
export function asOwnUser(user: OciUser, rootless: OwnUsers | undefined): OciUser {
  const idCount = rootless?.idCount ?? Number.POSITIVE_INFINITY;
  const { uid, gid, additionalGids } = user;
  const isHere = [uid, gid, ...additionalGids].every((id) => id < idCount);
  return isHere ? user : { uid: 0, gid: 0, additionalGids: [] };
}

/** The kernel's own trees; and the root, which is the image's. */
const forbiddenMounts = ["/proc", "/sys", "/"];
/** File systems of the container's own, in which the runtime makes whatever is mounted on; all but the first where the root is read-only. */
const ownFileSystems = ["/dev", "/tmp", "/var/tmp", "/run"] as const;

/**
 * Where volumes go in a container, with links of the image followed inside the image, and something there to mount on.
 * @throws PodFault IMAGE_INVALID
 */
async function placeVolumes(
  mounts: readonly PartMount[],
  {
    files,
    layersTopFirst,
    own,
  }: { readonly files: PodFiles; readonly layersTopFirst: readonly string[]; readonly own: readonly string[] },
): Promise<readonly VolumeOnPath[]> {
  const placed: VolumeOnPath[] = [];
  for (const { mountPath, readOnly, isFile } of mounts) {
    const { path, kind } = await lookUp(layersTopFirst, mountPath);
    if (forbiddenMounts.some((root) => path === root || (root !== "/" && path.startsWith(`${root}/`)))) {
      throw new PodFault(
        "IMAGE_INVALID",
        `a volume cannot be mounted at ${mountPath}: it is the kernel's or the image's own`,
      );
    }
    const isInside = own.some((root) => path.startsWith(`${root}/`));
    if (kind === "missing" && !isInside) {
      if (isFile) makeFileInTopLayer(files, path);
      else makeInTopLayer(files, path);
    }
    placed.push({ path, readOnly });
  }
  return placed;
}
