import { writeFile } from "node:fs/promises";
import { assert, type Clock } from "@shallop/sdk/internal";
import { PodFault, type PodLogLine } from "../pod/pod-runtime.ts";
import { type BundleMachine, bundleConfig, networkSysctls } from "./bundle.ts";
import { imageProcess, type NativeLaunch } from "./image-process.ts";
import type { IdRanges } from "./id-ranges.ts";
import type { IdRange, Kernel, ShimProcess } from "./kernel/kernel.ts";
import type { PodNetwork } from "./network.ts";
import type { OciRuntime } from "./oci-runtime.ts";
import { PodOutput } from "./pod-output.ts";
import type { PodFiles, PodNames } from "./pod-files.ts";
import { type ContainerRights, containerRights } from "./rights.ts";
import { checkLayerCount, makeInTopLayer, makePodDirectory, makeTopLayer, makeWritableDirectory } from "./rootfs.ts";

/** What the hooks of a start work with. */
export interface StartTools {
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly network: PodNetwork;
  readonly users: IdRanges;
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
  address?: string;
  /** The ids of this machine that the pod's own stand for; undefined: its own are the machine's. */
  users?: IdRange;
  layersTopFirst?: readonly string[];
  rights?: ContainerRights;
  output?: PodOutput;
  shim?: ShimProcess;
}

/** The names and files of a pod are all that undoing needs: it works for a pod of a process that is no more, too. */
export type Remains = Pick<Start, "names" | "files">;

/** A step of a start. Both halves may be repeated; `undo` does not fail over what is not there. */
export interface StartHook {
  readonly name: string;
  run(start: Start, tools: StartTools): Promise<void>;
  undo(remains: Remains, tools: StartTools): Promise<void>;
}

/** The order in which a pod comes up. It goes down in the reverse order. */
export const startHooks: readonly StartHook[] = [
  {
    name: "directory",
    run: ({ files }) => makePodDirectory(files),
    undo: ({ files }, { removeFiles }) => removeFiles(files),
  },
  {
    name: "address",
    run: async (start, { network }) => {
      start.address = await network.claim(start.names);
    },
    undo: ({ names }, { network }) => network.release(names),
  },
  {
    name: "users",
    run: async (start, { users, machine }) => {
      if (machine.shiftsUsers) start.users = await claimUsers(start, users);
    },
    undo: ({ names }, { users }) => users.release(names.key),
  },
  {
    name: "network",
    run: async ({ names, address }, { network }) => {
      assert(address !== undefined);
      await network.connect(names, address);
    },
    undo: ({ names }, { network }) => network.disconnect(names),
  },
  {
    name: "cgroup",
    // Only memory: the runtime makes what it limits below this one, and this one remembers what it saw.
    run: ({ names }, { kernel }) => kernel.cgroups.create(names.cgroup),
    undo: ({ names }, { kernel }) => kernel.cgroups.remove(names.cgroup),
  },
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

/** @throws PodFault NO_CAPACITY */
async function claimUsers({ names }: Start, users: IdRanges): Promise<IdRange> {
  const range = await users.claim(names.key);
  if (range !== undefined) return range;
  throw new PodFault("NO_CAPACITY", "all user ids for pods of this machine are in use", { retryable: true });
}

async function launch(start: Start, { kernel, clock, runtime, machine }: StartTools): Promise<void> {
  const { names, files, users, layersTopFirst, rights } = start;
  assert(layersTopFirst !== undefined && rights !== undefined);
  using usersNamespace = users === undefined ? undefined : await kernel.userNamespace(users);
  using mounts = await kernel.podMounts({
    layers: layersTopFirst,
    networkNamespace: networkNamespacePath(names),
    sysctls: { ...networkSysctls(machine), ...rights.networkSysctls },
    allowsSetuid: !rights.noNewPrivileges,
    ...(rights.readOnlyRoot ? {} : { writableDirectory: files.writable }),
    ...(usersNamespace === undefined ? {} : { usersFd: usersNamespace.fd }),
    ...(runtime.hiddenCgroup === undefined ? {} : { hiddenCgroup: runtime.hiddenCgroup }),
  });
  // Readers come before the only writer can go: with neither, what is in a FIFO is lost.
  await using stdout = await kernel.openFifoForWriting(files.stdout);
  await using stderr = await kernel.openFifoForWriting(files.stderr);
  start.output = PodOutput.open(files, clock, start.logged);
  start.shim = runtime.launch({ names, files, mountsFd: mounts.fd, stdoutFd: stdout.fd, stderrFd: stderr.fd });
}

const networkNamespacePath = (names: PodNames): string => `/run/netns/${names.netns}`;

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
  const { launch, names, files, hostname, address } = start;
  assert(address !== undefined);
  // mkfifo(1) takes as long to start as the rest takes to be written.
  await Promise.all([
    makeTopLayer(files, { hostname, address, nameServer: tools.network.nameServer }),
    tools.kernel.makeFifos([files.stdout, files.stderr]),
  ]);
  const layersTopFirst = [files.top, ...launch.image.layerPaths.toReversed()];
  const process = await imageProcess(launch, layersTopFirst);
  const { arch, shiftsUsers } = tools.machine;
  const { security } = launch;
  const isRoot = process.user.uid === 0;
  const rights = containerRights({ ...(security === undefined ? {} : { security }), isRoot, arch, shiftsUsers });
  start.rights = rights;
  if (!rights.readOnlyRoot) await makeWritableDirectory(files, start.users);
  if (process.cwdMissing) await makeInTopLayer(files, process.cwd);
  checkLayerCount(layersTopFirst);
  start.layersTopFirst = layersTopFirst;
  const config = bundleConfig({
    hostname,
    process,
    rights,
    limits: launch.limits,
    networkNamespace: networkNamespacePath(names),
    ...(start.users === undefined ? {} : { users: start.users }),
    cgroupsPath: `/${names.runtimeCgroup}`,
    machine: tools.machine,
  });
  await writeFile(files.config, JSON.stringify(config), { mode: 0o600 });
}
