import { chmod, chown, mkdir, readdir, readFile, rm, statfs, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ContentStore, StoredLayer } from "@shallop/sdk/image";
import { type Clock, guestLimitDefaults, type Random } from "@shallop/sdk/internal";
import { type BuilderSettings, DockerfileFault, type RunLimits } from "@shallop/sdk/wire";
import { idsOfImages } from "../image/native-layers.ts";
import { memoryBytesMin } from "../sandbox/bundle.ts";
import { detectFeatures, type SandboxMachine } from "../sandbox/features.ts";
import { CgroupTree } from "../sandbox/kernel/cgroup.ts";
import type { IdRange, Kernel, ShimProcess } from "../sandbox/kernel/kernel.ts";
import { LinuxKernel } from "../sandbox/kernel/linux.ts";
import { IdRanges, idRangesDirectory } from "../sandbox/id-ranges.ts";
import { explainExit } from "../sandbox/native-pod.ts";
import { OciRuntime } from "../sandbox/oci-runtime.ts";
import type { OciUser } from "../sandbox/oci-spec.ts";
import {
  isPodKey,
  machineCgroup,
  nodeCgroup,
  nodeKey,
  podFiles,
  podKey,
  type PodNames,
  podNames,
} from "../sandbox/pod-files.ts";
import { PodOutput } from "../sandbox/pod-output.ts";
import { checkLayerCount, makePodDirectory, makeWritableDirectory } from "../sandbox/rootfs.ts";
import type { OwnUsers } from "../sandbox/rootless/own-users.ts";
import { asOwnUser, endRuntime, ownUsers, type Remains } from "../sandbox/start.ts";
import type { DirectoryNode } from "./file-tree.ts";
import { archiveBytesMax } from "./archive-entries.ts";
import { upperChanges } from "./upper-changes.ts";
import { runBundle } from "./run-bundle.ts";

/** A program to be run on an image's files. */
export interface RunOrder {
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly user: OciUser;
  /** Unpacked layers, the base first. */
  readonly layerPaths: readonly string[];
  /** What they show together. */
  readonly image: DirectoryNode;
  readonly limits: RunLimits;
  /** Seconds since the epoch: no time in the layer is later. */
  readonly mtimeMax: number;
  readonly onLine: (text: string) => void;
}

interface RunSandboxParts {
  readonly directory: string;
  readonly store: ContentStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly machine: SandboxMachine<OwnUsers>;
}

// Nothing in a build depends on it, and what programs write of it is to be the same each time.
const hostname = "build";
// Where the disk is full a machine has worse troubles than a build that fails.
const freeBytesMin = 256 * 1024 ** 2;
// A disk takes some hundred megabytes a second.
const diskLookMs = 500;

/**
 * Runs the programs of RUN as containers, by runc or crun: closed in as native pods are, with a root whose changes become
 * a layer. One at a time uses the directory.
 */
export class RunSandbox implements AsyncDisposable {
  readonly #parts: RunSandboxParts;
  readonly #kernel: Kernel;
  readonly #runtime: OciRuntime;
  readonly #runs: string;
  readonly #node: string;
  readonly #users: IdRanges;
  #notes: readonly string[];

  private constructor(parts: RunSandboxParts) {
    const { directory, machine, clock } = parts;
    this.#parts = parts;
    this.#kernel = new LinuxKernel(new CgroupTree(machine.cgroups, clock), clock);
    const hasCgroups = machine.rootless?.hasCgroups ?? true;
    this.#runtime = new OciRuntime(this.#kernel, machine.runtime, join(directory, "containers"), hasCgroups);
    this.#notes = machine.rootless === undefined ? [] : notesOn(machine.rootless);
    this.#runs = join(directory, "runs");
    this.#node = nodeKey(directory);
    this.#users = new IdRanges(idRangesDirectory, this.#node);
  }

  /** Removes what a killed builder has left. @throws DockerfileFault BUILD_UNSUPPORTED where no program can be run */
  static async open(
    parts: Omit<RunSandboxParts, "machine">,
    {
      knownEscapes,
      rootless,
    }: { readonly knownEscapes: BuilderSettings["knownEscapes"]; readonly rootless?: OwnUsers | string | undefined },
  ): Promise<RunSandbox> {
    const { directory } = parts;
    const { machine, nativeMissing } = await detectFeatures<OwnUsers>({
      ...{ directory, knownEscapes },
      ...(rootless === undefined ? {} : { rootless }),
    });
    if (machine === undefined) {
      throw new DockerfileFault(
        "BUILD_UNSUPPORTED",
        `it is done in a container, and ${nativeMissing ?? "this machine runs none"}. Without RUN a Dockerfile is built here`,
      );
    }
    return RunSandbox.on({ ...parts, machine });
  }

  /** As `open`, on what is known of the machine. */
  static async on(parts: RunSandboxParts): Promise<RunSandbox> {
    const sandbox = new RunSandbox(parts);
    await mkdir(sandbox.#runs, { recursive: true, mode: 0o700 });
    await sandbox.#sweep();
    return sandbox;
  }

  /** What people should know of this machine's way to do it: at the first call. */
  takeNotes(): readonly string[] {
    const notes = this.#notes;
    this.#notes = [];
    return notes;
  }

  /**
   * Runs the program to its end. @returns what it has changed; no layer when that is nothing
   * @throws DockerfileFault RUN_FAILED | BUILD_LIMIT | TOO_LARGE
   */
  async run(order: RunOrder, signal: AbortSignal): Promise<StoredLayer | undefined> {
    const key = podKey(this.#parts.random.uuid());
    const remains = { names: podNames(this.#node, key), files: podFiles(this.#runs, key) };
    try {
      const users = await this.#prepare(remains, order);
      await this.#execute(remains, order, users, signal);
      const upper = join(remains.files.writable, "upper");
      const { mtimeMax } = order;
      const origin = { mtimeMax, firstId: users?.first ?? 0, isRootless: this.#parts.machine.rootless !== undefined };
      const changes = await upperChanges(this.#parts.store, upper, { ...origin, signal });
      return changes.isEmpty ? undefined : changes.layer;
    } finally {
      await this.#remove(remains);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#kernel.close();
  }

  async #prepare({ names, files }: Remains, order: RunOrder): Promise<IdRange | undefined> {
    const { arch, swapLimit, ipv6, openFilesMax, cgroups, shiftsUsers, rootless } = this.#parts.machine;
    await makePodDirectory(files);
    const users =
      rootless !== undefined ? ownUsers(rootless) : shiftsUsers ? await this.#claimUsers(names.key) : undefined;
    await makeWritableDirectory(files, users);
    const owners = { first: users?.first ?? 0, size: rootless?.idCount ?? Number.POSITIVE_INFINITY };
    // What the root directory itself has comes from the topmost layer. Its owner is one of the container's users.
    await copyAttributes(join(files.writable, "upper"), order.image, owners);
    await makeTopLayer(files.top, order, { ...owners, first: 0 });
    await this.#kernel.cgroups.create(names.cgroup);
    this.#kernel.makeFifos([files.stdout, files.stderr]);
    if (order.limits.network === "none") await this.#makeNetwork(names);
    const { memoryBytes, cpu, pidsMax, timeoutMs } = order.limits;
    const timeouts = { requestTimeoutMs: timeoutMs, startTimeoutMs: timeoutMs };
    const { args, env, cwd } = order;
    const user = asOwnUser(order.user, rootless);
    const config = runBundle(
      {
        hostname,
        process: { args, env, cwd, user, cwdMissing: false },
        limits: { ...guestLimitDefaults, ...{ memoryBytes, cpu, pidsMax, concurrencyMax: 0 }, ...timeouts },
        cgroupsPath: `/${names.runtimeCgroup}`,
        machine: {
          ...{ arch, swapLimit, ipv6, openFilesMax, shiftsUsers, cgroupV2: cgroups.mode === "v2" },
          ...(rootless === undefined ? {} : { rootless }),
        },
        ...(users === undefined ? {} : { users }),
      },
      networkNamespaceOf(names, order),
    );
    await writeFile(files.config, JSON.stringify(config), { mode: 0o600 });
    return users;
  }

  /** With loopback alone. */
  async #makeNetwork({ netns }: PodNames): Promise<void> {
    if (this.#parts.machine.rootless === undefined) {
      await this.#kernel.network([`netns add ${netns}`]);
      return this.#kernel.network(["link set lo up"], netns);
    }
    // ip(8) would want to go back to the machine's network, over which this user has no right.
    await this.#kernel.makeNetwork(netns);
  }

  async #claimUsers(key: string): Promise<IdRange> {
    const range = await this.#users.claim(key);
    if (range !== undefined) return range;
    throw new DockerfileFault("BUILD_LIMIT", "all user ids for containers of this machine are in use");
  }

  /** Starts the container. What it says goes to `onLine` as it comes. */
  async #launch(
    { names, files }: Remains,
    order: RunOrder,
    users: IdRange | undefined,
  ): Promise<{ readonly shim: ShimProcess; readonly output: PodOutput }> {
    const layers = [files.top, ...order.layerPaths.toReversed()];
    checkLayerCount(layers);
    const { rootless, shiftsUsers } = this.#parts.machine;
    using usersNamespace = users === undefined || !shiftsUsers ? undefined : await this.#kernel.userNamespace(users);
    const { hiddenCgroup } = this.#runtime;
    const machineNetwork = rootless === undefined ? "/proc/self/ns/net" : undefined;
    using mounts = await this.#kernel.podMounts({
      layers,
      writableDirectory: files.writable,
      allowsSetuid: false,
      networkNamespace: networkNamespaceOf(names, order) ?? machineNetwork,
      ...{ isRootless: rootless !== undefined, isOnce: rootless !== undefined },
      sysctls: {},
      ...(usersNamespace === undefined ? {} : { usersFd: usersNamespace.fd }),
      ...(hiddenCgroup === undefined ? {} : { hiddenCgroup }),
    });
    await using stdout = await this.#kernel.openFifoForWriting(files.stdout);
    await using stderr = await this.#kernel.openFifoForWriting(files.stderr);
    const output = PodOutput.open(files, this.#parts.clock, { logged: ({ text }) => order.onLine(text) });
    const streams = { stdoutFd: stdout.fd, stderrFd: stderr.fd, terminal: false };
    const shim = this.#runtime.launch({ names, files, mountsFd: mounts.fd, ...streams });
    return { shim, output };
  }

  async #execute(
    { names, files }: Remains,
    order: RunOrder,
    users: IdRange | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { shim, output } = await this.#launch({ names, files }, order, users);
    const stopped = await this.#untilEnded(shim, order.limits, signal);
    if (stopped !== undefined) {
      await this.#runtime.signal(names, "KILL");
      await output[Symbol.asyncDispose]();
      signal.throwIfAborted();
      throw new DockerfileFault("BUILD_LIMIT", stopped);
    }
    await output.drained();
    const memoryBytes = Math.max(memoryBytesMin, order.limits.memoryBytes);
    const exit = await explainExit({ names, files, memoryBytes, lastLines: "" }, this.#kernel.cgroups);
    if (exit.reason === "OOMKilled")
      throw new DockerfileFault(
        "BUILD_LIMIT",
        `it used more than ${memoryBytes} bytes of memory; give it more with --memory`,
      );
    if (exit.exitCode !== 0)
      throw new DockerfileFault(
        "RUN_FAILED",
        [`it ended with code ${exit.exitCode}`, exit.message].filter((text) => text !== "").join(": "),
      );
  }

  /** Why it must be stopped, in a sentence; undefined when it has ended. */
  async #untilEnded(shim: ShimProcess, limits: RunLimits, signal: AbortSignal): Promise<string | undefined> {
    const { clock } = this.#parts;
    const { promise: stopped, resolve: stop } = Promise.withResolvers<string | undefined>();
    const late = clock.after(limits.timeoutMs, () =>
      stop(`it took more than ${Math.round(limits.timeoutMs / 1000)} s; give it more with --timeout`),
    );
    const before = await freeBytes(this.#runs);
    const disk = clock.every(diskLookMs, () => {
      void freeBytes(this.#runs).then((free) => {
        if (free < freeBytesMin) stop("the disk is full; remove images, or build on a larger one");
        else if (before - free > archiveBytesMax) stop(`it wrote more than ${archiveBytesMax} bytes`);
      });
    });
    const aborted = (): void => stop("the build was stopped");
    signal.addEventListener("abort", aborted, { once: true });
    if (signal.aborted) aborted();
    try {
      return await Promise.race([stopped, shim.ended.then(() => undefined)]);
    } finally {
      late.cancel();
      disk.cancel();
      signal.removeEventListener("abort", aborted);
    }
  }

  async #remove(remains: Remains): Promise<void> {
    const { clock } = this.#parts;
    await endRuntime(remains, { kernel: this.#kernel, clock, runtime: this.#runtime });
    const { cgroup, netns, key } = remains.names;
    await this.#kernel.cgroups.remove(cgroup);
    if ((await this.#kernel.networkNamespaces()).includes(netns)) await this.#kernel.network([`netns delete ${netns}`]);
    await this.#users.release(key);
    for (const path of [nodeCgroup(this.#node), machineCgroup]) await this.#kernel.cgroups.removeIfEmpty(path);
    await rm(remains.files.directory, { recursive: true, force: true });
  }

  async #sweep(): Promise<void> {
    for (const key of (await readdir(this.#runs)).filter(isPodKey))
      await this.#remove({ names: podNames(this.#node, key), files: podFiles(this.#runs, key) });
  }
}

/** Undefined: the machine's own. */
const networkNamespaceOf = ({ netns }: PodNames, { limits }: RunOrder): string | undefined =>
  limits.network === "none" ? `/run/netns/${netns}` : undefined;

async function freeBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}

/** What an ordinary user's RUN has not. */
function notesOn({ idCount, hasCgroups }: OwnUsers): readonly string[] {
  return [
    ...(hasCgroups
      ? []
      : [
          "what RUN takes of memory and processors is bounded loosely, for it is done without root: as root it is held to its limits",
        ]),
    ...(idCount >= idsOfImages
      ? []
      : [
          "RUN has one user, and cannot give files to others: run `apt-get install uidmap` and, as root, `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER`",
        ]),
  ];
}

/**
 * The layer below the changes: real directories where the kernel's trees are mounted, whatever the image has there, and
 * the files by which the machine's names are found. Its directories look like the image's, for they become part of a
 * layer when something in them is changed.
 */
async function makeTopLayer(top: string, { image, limits }: RunOrder, owners: IdRange): Promise<void> {
  await mkdir(top, { recursive: true });
  for (const name of ["proc", "sys", "dev", "etc"]) await mkdir(join(top, name), { recursive: true, mode: 0o755 });
  const isHost = limits.network === "host";
  const texts = {
    hostname: `${hostname}\n`,
    hosts: isHost ? await readFile("/etc/hosts", "utf8") : `127.0.0.1\tlocalhost ${hostname}\n::1\tlocalhost\n`,
    // Without a network a name that cannot be found is to fail at once.
    "resolv.conf": isHost ? await readFile("/etc/resolv.conf", "utf8") : "options timeout:1 attempts:1\n",
  };
  for (const [name, text] of Object.entries(texts)) {
    const path = join(top, "etc", name);
    await writeFile(path, text);
    await chmod(path, 0o644);
  }
  await copyAttributes(top, image, owners);
  for (const name of ["proc", "sys", "dev", "etc"]) {
    const node = image.children.get(name);
    if (node?.kind === "directory") await copyAttributes(join(top, name), node, owners);
    else await chmod(join(top, name), 0o755);
  }
}

async function copyAttributes(
  path: string,
  { mode, uid, gid, mtime }: DirectoryNode,
  { first, size }: IdRange,
): Promise<void> {
  const own = (id: number): number => first + (id < size ? id : 0);
  await chown(path, own(uid), own(gid));
  await chmod(path, mode);
  await utimes(path, mtime, mtime);
}
