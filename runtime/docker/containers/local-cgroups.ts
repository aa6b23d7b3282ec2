import { join } from "node:path";
import type { Pod } from "@shallop/sdk/api";
import type { Clock } from "@shallop/sdk/internal";
import { type CgroupLayout, CgroupTree, type CgroupUsage, detectCgroupLayout } from "../../sandbox/kernel/cgroup.ts";
import { containerKey, containerNames, nodeKey, podKey, podNames } from "../../sandbox/pod-files.ts";
import { keptCgroups } from "../../sandbox/rootless/rootless.ts";
import { podContainer } from "./pod-spec.ts";

/** The cgroups of native containers of this node, to look at: what changes them is the node agent. */
export class LocalCgroups {
  readonly #nodeDirectory: string;
  readonly #node: string;
  readonly #machine: CgroupLayout;
  readonly #clock: Clock;

  private constructor(nodeDirectory: string, machine: CgroupLayout, clock: Clock) {
    this.#nodeDirectory = nodeDirectory;
    this.#node = nodeKey(join(nodeDirectory, "native"));
    this.#machine = machine;
    this.#clock = clock;
  }

  /** @param nodeDirectory of the node agent: `DATA/node` */
  static async open(nodeDirectory: string, clock: Clock): Promise<LocalCgroups> {
    return new LocalCgroups(nodeDirectory, await detectCgroupLayout(), clock);
  }

  async usage(pod: Pod): Promise<CgroupUsage> {
    return (await this.#tree()).usage(this.#path(pod));
  }

  async processes(pod: Pod): Promise<readonly number[]> {
    return (await this.#tree()).processes(this.#path(pod));
  }

  async isFrozen(pod: Pod): Promise<boolean> {
    return (await this.#tree()).isFrozen(this.#path(pod));
  }

  /** An ordinary user's node has one of its own, and another one when its keeper has died. */
  async #tree(): Promise<CgroupTree> {
    return new CgroupTree((await keptCgroups(this.#nodeDirectory)) ?? this.#machine, this.#clock);
  }

  #path(pod: Pod): string {
    return containerNames(podNames(this.#node, podKey(pod.metadata.uid)), containerKey(podContainer)).runtimeCgroup;
  }
}
