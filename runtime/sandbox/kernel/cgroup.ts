import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { assert, type Clock, errorCode } from "@shallop/sdk/internal";

/** What a group of processes may use. */
export interface CgroupLimits {
  readonly memoryBytes: number;
  /** Cores: 0.5 is half of one. */
  readonly cpu: number;
  readonly pidsMax: number;
}

export interface CgroupUsage {
  readonly cpuNs: number;
  /** Without pages of files that nobody has used for a while. */
  readonly memoryBytes: number;
  readonly processes: number;
  /** Of disks. */
  readonly readBytes: number;
  readonly writtenBytes: number;
}

/** What happened in a cgroup so far. */
export interface CgroupCounters {
  /** Processes that the kernel killed because the memory limit was reached. */
  readonly oomKills: number;
  /** Forks refused because the limit of processes was reached. */
  readonly pidsRefused: number;
}

/** How this machine mounts its cgroup file systems. */
export interface CgroupLayout {
  /** `hybrid`: v1 controllers, and a v2 tree beside them that has none of those we need. */
  readonly mode: "v1" | "v2" | "hybrid" | "none";
  /** Directory of each controller's hierarchy; in v2 all have the same one. */
  readonly rootByController: ReadonlyMap<string, string>;
  /** Every hierarchy's directory, those without a controller too: a runtime leaves directories in each. */
  readonly roots: readonly string[];
  /** Directory of the v2 tree, when there is one. */
  readonly unified?: string;
}

/** The controllers without which a limit could not be held. */
export const neededControllers = ["cpu", "memory", "pids"] as const;
/** Counts what disks are read and written; on v1 always, on v2 where it is handed down. */
const countingController = "io";

// 100 ms, the kernel's own default: what a pod's share of a core is counted over.
export const cpuPeriodUs = 100_000;
// The kernel refuses a smaller quota.
const cpuQuotaUsMin = 1000;

/** `cpu.cfs_quota_us` for a number of cores: 0.5 → 50,000 of each 100,000 µs. */
export const cpuQuotaUs = (cpu: number): number => Math.max(cpuQuotaUsMin, Math.round(cpu * cpuPeriodUs));

/** `cpu.shares`, 1024 a core as Kubernetes counts them; 2 is the kernel's smallest. */
export const cpuShares = (cpu: number): number => Math.min(262_144, Math.max(2, Math.round(cpu * 1024)));

/** `cpu.weight` for shares, by the formula runtimes used when v2 came: 2…262144 → 1…10000. */
export const cpuWeight = (shares: number): number => 1 + Math.floor(((shares - 2) * 9999) / 262_142);

// The kernel's own for a thread that is in no cgroup, and the most that it takes (cgroup-v2.rst, "CPU Interface Files").
const cpuWeightOfThread = 100;
const cpuWeightMax = 10_000;

/** `io.weight` for Docker's weight, as runtimes count it: 10…1000 → 1…10000. */
const ioWeight = (weight: number): number => 1 + Math.floor(((weight - 10) * 9999) / 990);

/** Reads the layout out of `/proc/self/mountinfo` (proc_pid_mountinfo(5)); `v2Controllers` as `cgroup.controllers` says. */
export function parseCgroupLayout(mountinfo: string, v2Controllers: (root: string) => readonly string[]): CgroupLayout {
  const rootByController = new Map<string, string>();
  const roots = new Set<string>();
  let unified: string | undefined;
  for (const line of mountinfo.split("\n")) {
    const [before, after] = line.split(" - ");
    const path = before?.split(" ")[4];
    const [type, , superOptions] = after?.split(" ") ?? [];
    if (path === undefined || (type !== "cgroup" && type !== "cgroup2")) continue;
    roots.add(path);
    if (type === "cgroup2") unified = path;
    else
      for (const option of superOptions?.split(",") ?? [])
        if (!rootByController.has(option)) rootByController.set(option, path);
  }
  const hasV1 = rootByController.has("memory");
  if (unified !== undefined && !hasV1) {
    for (const controller of v2Controllers(unified)) rootByController.set(controller, unified);
  }
  const mode = hasV1 ? (unified === undefined ? "v1" : "hybrid") : unified === undefined ? "none" : "v2";
  return { mode, rootByController, roots: [...roots], ...(unified === undefined ? {} : { unified }) };
}

export async function detectCgroupLayout(): Promise<CgroupLayout> {
  const mountinfo = await readOr("/proc/self/mountinfo", "");
  const unified = /^(?:\S+ ){4}(\S+) .* - cgroup2 /m.exec(mountinfo)?.[1];
  const controllers = unified === undefined ? "" : await readOr(join(unified, "cgroup.controllers"), "");
  return parseCgroupLayout(mountinfo, () => controllers.trim().split(" "));
}

// A process that is in a system call freezes when that ends or sleeps: milliseconds; a disk that hangs may take longer.
const freezeTries = 200;
const freezePauseMs = 10;
// A killed process leaves its cgroup once the kernel has torn it down: milliseconds, more when it held gigabytes.
const removeTries = 200;
const removePauseMs = 10;
// A cgroup within a cgroup within ours is what an init system in a container makes; deeper is not met.
const depthMax = 8;

/**
 * Directories in the machine's cgroup trees, named by a path below their roots (`shallop/ab12/pod`), the same in each
 * hierarchy. Works on v1, v2 and both beside each other. Every act may be repeated.
 */
export class CgroupTree {
  readonly layout: CgroupLayout;
  readonly #clock: Clock;

  constructor(layout: CgroupLayout, clock: Clock) {
    this.layout = layout;
    this.#clock = clock;
  }

  /** Makes the cgroup for `controllers`, and on v2 hands them down to it from the root. */
  async create(path: string, controllers: readonly string[] = this.#usual()): Promise<void> {
    for (const root of this.#rootsOf(controllers)) {
      let directory = root;
      for (const part of path.split("/")) {
        if (root === this.layout.unified) await this.#delegate(directory, controllers);
        directory = join(directory, part);
        await mkdir(directory, { recursive: true });
      }
    }
  }

  async limit(path: string, limits: CgroupLimits): Promise<void> {
    await this.resize(path, limits);
  }

  /** Gives it other amounts, while processes are in it. */
  async resize(
    path: string,
    limits: Pick<CgroupLimits, "cpu" | "memoryBytes"> & { readonly pidsMax?: number | undefined },
  ): Promise<void> {
    const quota = cpuQuotaUs(limits.cpu);
    const shares = cpuShares(limits.cpu);
    if (this.layout.mode === "v2") {
      await this.#write("memory", path, "memory.max", String(limits.memoryBytes));
      // No swap on the machine, or no accounting of it: no such file, and nothing to forbid.
      await this.#writeIfThere("memory", path, "memory.swap.max", "0");
      await this.#write("cpu", path, "cpu.max", `${quota} ${cpuPeriodUs}`);
      await this.#write("cpu", path, "cpu.weight", String(cpuWeight(shares)));
    } else {
      await this.#limitMemoryV1(path, limits.memoryBytes);
      await this.#write("cpu", path, "cpu.cfs_period_us", String(cpuPeriodUs));
      await this.#write("cpu", path, "cpu.cfs_quota_us", String(quota));
      await this.#write("cpu", path, "cpu.shares", String(shares));
    }
    if (limits.pidsMax !== undefined) await this.#write("pids", path, "pids.max", String(limits.pidsMax));
  }

  /**
   * Gives it a share of disks' time beside its siblings, as Docker counts it: 10 to 1000. False: the machine has no
   * scheduler of disks that knows shares.
   */
  async weigh(path: string, weight: number): Promise<boolean> {
    const isV2 = this.layout.mode === "v2";
    const controller = isV2 ? "io" : "blkio";
    const files = isV2
      ? [["io.bfq.weight", weight] as const, ["io.weight", ioWeight(weight)] as const]
      : [["blkio.bfq.weight", weight] as const, ["blkio.weight", weight] as const];
    return (await this.#handDown(controller, path)) && this.#writeFirst(controller, path, files);
  }

  /** Gives it a share of processors' time beside its siblings, 1024 being the kernel's own. False: there is no such thing. */
  async shareProcessors(path: string, shares: number): Promise<boolean> {
    const file =
      this.layout.mode === "v2" ? (["cpu.weight", cpuWeight(shares)] as const) : (["cpu.shares", shares] as const);
    return (await this.#handDown("cpu", path)) && this.#writeFirst("cpu", path, [file]);
  }

  /**
   * Gives it, beside what is in no cgroup of ours, the weight of as many threads as there are `cores`, by what the kernel gives a
   * thread: 1024 on v1, 100 on v2. False: there is no such thing.
   */
  async weighAsCores(path: string, cores: number): Promise<boolean> {
    if (this.layout.mode !== "v2") return this.shareProcessors(path, cpuShares(cores));
    const weight = Math.min(cpuWeightMax, Math.round(cpuWeightOfThread * cores));
    return (await this.#handDown("cpu", path)) && this.#writeFirst("cpu", path, [["cpu.weight", weight]]);
  }

  /** Lets what runs in it, and will, run on these processors alone. False: the machine has not all of them, or no such thing. */
  async confine(path: string, cpus: string): Promise<boolean> {
    // On v1 one that is made here would have no processor at all: the runtime makes it, and gives it its parents'.
    if (this.layout.mode === "v2" && !(await this.#handDown("cpuset", path))) return false;
    if (!this.layout.rootByController.has("cpuset")) return false;
    return this.#write("cpuset", path, "cpuset.cpus", cpus).then(
      () => true,
      () => false,
    );
  }

  /** False: there is no such controller, or somebody above does not hand it down. */
  #handDown(controller: string, path: string): Promise<boolean> {
    if (!this.layout.rootByController.has(controller)) return Promise.resolve(false);
    return this.create(path, [controller]).then(
      () => true,
      () => false,
    );
  }

  async #writeFirst(
    controller: string,
    path: string,
    files: readonly (readonly [file: string, value: number])[],
  ): Promise<boolean> {
    for (const [file, value] of files) if (await this.#tryWrite(controller, path, file, String(value))) return true;
    return false;
  }

  /**
   * Stops everything in the cgroup where it is, or lets it go on. Resolves once the kernel has done so; a cgroup that is
   * gone has nothing to freeze. @throws Error where nothing can be frozen, or not in time
   */
  async freeze(path: string, frozen: boolean): Promise<void> {
    const { unified, roots } = this.layout;
    // Nothing was ever frozen where there are no cgroups of ours.
    if (roots.length === 0 && !frozen) return;
    const v1 = this.layout.rootByController.get("freezer");
    const isThere = roots.length > 0 && (v1 ?? unified) !== undefined;
    if (!isThere) throw new Error("this machine's cgroups cannot freeze: mount the freezer controller, or cgroup2");
    const directory = join(v1 ?? unified ?? "", path);
    const [file, value] =
      v1 === undefined ? ["cgroup.freeze", frozen ? "1" : "0"] : ["freezer.state", frozen ? "FROZEN" : "THAWED"];
    for (let attempt = 0; attempt < freezeTries; attempt++) {
      if ((await readOr(join(directory, file), "")) === "") return;
      await writeFile(join(directory, file), value);
      if ((await this.isFrozen(path)) === frozen) return;
      await this.#clock.sleep(freezePauseMs);
    }
    throw new Error(`the kernel did not ${frozen ? "freeze" : "thaw"} ${path} in time`);
  }

  /** Is everything in the cgroup stopped where it is? One that is gone is not. */
  async isFrozen(path: string): Promise<boolean> {
    const v1 = this.layout.rootByController.get("freezer");
    const root = v1 ?? this.layout.unified;
    if (root === undefined) return false;
    const said = await readOr(join(root, path, v1 === undefined ? "cgroup.events" : "freezer.state"), "");
    return said.includes(v1 === undefined ? "frozen 1" : "FROZEN");
  }

  /** Moves a process in, with all its threads. */
  async place(path: string, pid: number, controllers: readonly string[] = neededControllers): Promise<void> {
    for (const root of this.#rootsOf(controllers)) await writeFile(join(root, path, "cgroup.procs"), String(pid));
  }

  async counters(path: string): Promise<CgroupCounters> {
    const memoryFile = this.layout.mode === "v2" ? "memory.events" : "memory.oom_control";
    return {
      oomKills: counter(await this.read("memory", path, memoryFile), "oom_kill"),
      pidsRefused: counter(await this.read("pids", path, "pids.events"), "max"),
    };
  }

  /** What the processes of a cgroup have used so far. */
  async usage(path: string): Promise<CgroupUsage> {
    const v2 = this.layout.mode === "v2";
    const [cpu, memory, stat, pids, io] = await Promise.all([
      v2 ? this.read("cpu", path, "cpu.stat") : this.read("cpuacct", path, "cpuacct.usage"),
      this.read("memory", path, v2 ? "memory.current" : "memory.usage_in_bytes"),
      this.read("memory", path, "memory.stat"),
      this.read("pids", path, "pids.current"),
      v2 ? this.read("io", path, "io.stat") : this.read("blkio", path, "blkio.throttle.io_service_bytes_recursive"),
    ]);
    const droppable = counter(stat, v2 ? "inactive_file" : "total_inactive_file");
    return {
      cpuNs: v2 ? counter(cpu, "usage_usec") * 1000 : Number(cpu),
      memoryBytes: Math.max(0, Number(memory) - droppable),
      processes: Number(pids),
      readBytes: sumOf(io, v2 ? /rbytes=(\d+)/g : /Read (\d+)/g),
      writtenBytes: sumOf(io, v2 ? /wbytes=(\d+)/g : /Write (\d+)/g),
    };
  }

  /** Text of a cgroup file; empty when there is none. */
  async read(controller: string, path: string, file: string): Promise<string> {
    const root = this.layout.rootByController.get(controller);
    return root === undefined ? "" : readOr(join(root, path, file), "");
  }

  /** Names of the cgroups directly below `path`, in any hierarchy. */
  async children(path: string): Promise<readonly string[]> {
    const names = new Set<string>();
    for (const root of this.layout.roots) for (const name of await directoriesIn(join(root, path))) names.add(name);
    return [...names];
  }

  /** Processes in the cgroup and below it. */
  async processes(path: string): Promise<readonly number[]> {
    const pids = new Set<number>();
    for (const root of this.layout.roots) await collectPids(join(root, path), pids, 0);
    return [...pids];
  }

  /** SIGKILL to all in it, then removes it from every hierarchy. @throws Error when a process does not die */
  async remove(path: string): Promise<void> {
    // The empty path is the machine itself.
    assert(
      path.split("/").every((part) => part !== "" && part !== ".."),
      `not a cgroup of ours: ${path}`,
    );
    for (const pid of await this.processes(path)) kill(pid);
    for (const root of this.layout.roots) await this.#removeDirectory(join(root, path), 0);
  }

  /** Removes `path` where nothing is in it or below it; else leaves it. */
  async removeIfEmpty(path: string): Promise<void> {
    for (const root of this.layout.roots) await rmdir(join(root, path)).catch(() => undefined);
  }

  async #removeDirectory(directory: string, depth: number): Promise<void> {
    if (depth < depthMax) {
      for (const name of await directoriesIn(directory)) await this.#removeDirectory(join(directory, name), depth + 1);
    }
    for (let attempt = 0; ; attempt++) {
      try {
        return await rmdir(directory);
      } catch (error) {
        if (errorCode(error) === "ENOENT") return;
        if (errorCode(error) !== "EBUSY" || attempt === removeTries) throw error;
      }
      const left = new Set<number>();
      await collectPids(directory, left, 0);
      for (const pid of left) kill(pid);
      await this.#clock.sleep(removePauseMs);
    }
  }

  /** The kernel wants memory ≤ memory+swap at every moment, so growing and shrinking need different orders. */
  async #limitMemoryV1(path: string, memoryBytes: number): Promise<void> {
    const value = String(memoryBytes);
    const shrink = async (): Promise<void> => this.#write("memory", path, "memory.limit_in_bytes", value);
    const grow = async (): Promise<void> => this.#writeIfThere("memory", path, "memory.memsw.limit_in_bytes", value);
    const now = Number(await this.read("memory", path, "memory.limit_in_bytes"));
    const steps = now < memoryBytes ? [grow, shrink] : [shrink, grow];
    try {
      for (const step of steps) await step();
    } catch (error) {
      // More is in use than the smaller limit allows: the larger one stays until the next change.
      if (errorCode(error) !== "EBUSY") throw error;
    }
  }

  #usual(): readonly string[] {
    const counts = this.layout.rootByController.get(countingController) === this.layout.unified;
    return this.layout.unified !== undefined && counts ? [...neededControllers, countingController] : neededControllers;
  }

  async #delegate(directory: string, controllers: readonly string[]): Promise<void> {
    const file = join(directory, "cgroup.subtree_control");
    const enabled = (await readOr(file, "")).trim().split(" ");
    const missing = controllers.filter((controller) => !enabled.includes(controller));
    if (missing.length > 0) await writeFile(file, missing.map((controller) => `+${controller}`).join(" "));
  }

  #rootsOf(controllers: readonly string[]): ReadonlySet<string> {
    const roots = new Set<string>();
    for (const controller of controllers) {
      const root = this.layout.rootByController.get(controller);
      if (root !== undefined) roots.add(root);
    }
    return roots;
  }

  async #write(controller: string, path: string, file: string, value: string): Promise<void> {
    const root = this.layout.rootByController.get(controller);
    if (root !== undefined) await writeFile(join(root, path, file), value);
  }

  /** False: there is no such file, or the kernel does not take it. */
  async #tryWrite(controller: string, path: string, file: string, value: string): Promise<boolean> {
    if ((await this.read(controller, path, file)) === "") return false;
    return this.#write(controller, path, file, value).then(
      () => true,
      () => false,
    );
  }

  async #writeIfThere(controller: string, path: string, file: string, value: string): Promise<void> {
    if ((await this.read(controller, path, file)) !== "") await this.#write(controller, path, file, value);
  }
}

const readOr = (path: string, otherwise: string): Promise<string> => readFile(path, "utf8").catch(() => otherwise);

/** The value of a line `name value`, 0 when there is none. */
const counter = (text: string, name: string): number => {
  const line = text.split("\n").find((candidate) => candidate.startsWith(`${name} `));
  return line === undefined ? 0 : Number(line.slice(name.length + 1));
};

const sumOf = (text: string, pattern: RegExp): number =>
  [...text.matchAll(pattern)].reduce((sum, [, bytes]) => sum + Number(bytes), 0);

async function directoriesIn(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

async function collectPids(directory: string, pids: Set<number>, depth: number): Promise<void> {
  for (const line of (await readOr(join(directory, "cgroup.procs"), "")).split("\n"))
    if (line !== "") pids.add(Number(line));
  if (depth === depthMax) return;
  for (const name of await directoriesIn(directory)) await collectPids(join(directory, name), pids, depth + 1);
}

function kill(pid: number): void {
  // 0 stands for a process of another pid namespace: it cannot be named from here, and 0 would be our own group.
  if (pid <= 1) return;
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself meanwhile.
  }
}
