import { availableParallelism } from "node:os";
import { type Clock, describeError, type Log } from "@shallop/sdk/internal";
import {
  type CgroupLayout,
  type CgroupLimits,
  cpuShares,
  CgroupTree,
  detectCgroupLayout,
  neededControllers,
} from "./kernel/cgroup.ts";
import { machineCgroup, nodeCgroup, nodeKey } from "./pod-files.ts";

/** Puts processes that run guests into cgroups of their own: on v1, v2 and machines that have both. */
export interface ProcessJail {
  /** What it cannot hold on this machine, in a sentence; undefined when it holds everything. */
  readonly weakness?: string;
  /** Moves the process into its own cgroup with these limits; again: changes them. */
  place(pid: number, limits: CgroupLimits): Promise<void>;
  /** What its limits have refused so far. */
  counters(pid: number): Promise<{ readonly oomKills: number; readonly pidsRefused: number }>;
  /** Ends what is left of the process and its children, and removes the cgroup. */
  release(pid: number): Promise<void>;
  /**
   * Ends the processes in all its cgroups and removes them: at a start those that an earlier run of this node left, at
   * the end all.
   */
  sweep(): Promise<void>;
}

export interface HostJailSettings {
  /** Directory of the node's state: tells the nodes of one machine apart. */
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
  /** For tests; the default is what this machine has. */
  readonly layout?: CgroupLayout;
  /** For tests; the default is this process's user. */
  readonly uid?: number;
}

/**
 * A jail that holds what this machine lets it: without root, or without a controller, it holds less and says so.
 */
export async function hostJail(settings: HostJailSettings): Promise<ProcessJail> {
  const layout = settings.layout ?? (await detectCgroupLayout());
  const tree = new CgroupTree(layout, settings.clock);
  const node = nodeCgroup(nodeKey(settings.directory));
  const turns = new Turns();
  const parent = `${node}/hosts`;
  const weakness = await weaknessOf(tree, parent, settings);
  if (weakness !== undefined) return { ...openJail, weakness };
  const cgroupOf = (pid: number): string => `${parent}/${pid}`;
  return {
    place: (pid, limits) =>
      turns.run(pid, async () => {
        await tree.create(cgroupOf(pid));
        await tree.limit(cgroupOf(pid), limits);
        await tree.place(cgroupOf(pid), pid);
      }),
    counters: (pid) => tree.counters(cgroupOf(pid)),
    release: (pid) => turns.run(pid, () => tree.remove(cgroupOf(pid))),
    sweep: async () => {
      for (const name of await tree.children(parent)) {
        settings.log.info("removing what is left of a host process", { cgroup: `${parent}/${name}` });
        await tree.remove(`${parent}/${name}`);
      }
      for (const path of [parent, node, machineCgroup]) await tree.removeIfEmpty(path);
    },
  };
}

/** Holds nothing: V8's own limits are then the only ones. */
const openJail: ProcessJail = {
  place: async () => undefined,
  counters: async () => ({ oomKills: 0, pidsRefused: 0 }),
  release: async () => undefined,
  sweep: async () => undefined,
};

async function weaknessOf(tree: CgroupTree, parent: string, settings: HostJailSettings): Promise<string | undefined> {
  const consequence = "host processes are held by V8's limits only";
  if ((settings.uid ?? process.getuid?.()) !== 0) return `cgroups need root: ${consequence}`;
  const absent = neededControllers.filter((controller) => !tree.layout.rootByController.has(controller));
  if (absent.length > 0) return `this machine has no cgroup controllers ${absent.join(", ")}: ${consequence}`;
  try {
    await tree.create(parent);
    await weighAsMachine(tree, parent);
    return undefined;
  } catch (error) {
    return `cgroups cannot be made here (${describeError(error)}): ${consequence}`;
  }
}

/**
 * What holds the pods weighs as much as all processors do, as the kubelet has it: the kernel would count each of these cgroups as one
 * thread of the machine, however many pods are in it, and on a busy machine all of them together would get next to nothing.
 */
async function weighAsMachine(tree: CgroupTree, hosts: string): Promise<void> {
  const cores = availableParallelism();
  await tree.weighAsCores(machineCgroup, cores);
  // Beside native pods, each of which has the shares of its own cores.
  await tree.shareProcessors(hosts, cpuShares(cores));
}

/**
 * One change of a cgroup at a time: pods come and go together, and the kernel refuses limits that are written in the
 * wrong order.
 */
class Turns {
  readonly #last = new Map<number, Promise<void>>();

  run(pid: number, change: () => Promise<void>): Promise<void> {
    const before = this.#last.get(pid) ?? Promise.resolve();
    const turn = before.catch(() => undefined).then(change);
    this.#last.set(pid, turn);
    const forget = (): void => {
      if (this.#last.get(pid) === turn) this.#last.delete(pid);
    };
    turn.then(forget, forget);
    return turn;
  }
}
