import { join } from "node:path";
import type { Pod } from "@shallop/sdk/api";
import type { Clock } from "@shallop/sdk/internal";
import { CgroupTree, detectCgroupLayout } from "../../sandbox/kernel/cgroup.ts";
import { containerKey, containerNames, nodeKey, podKey, podNames } from "../../sandbox/pod-files.ts";
import { podContainer } from "./pod-spec.ts";

/** The cgroups of native containers of this node, to look at: what changes them is the node agent. */
export class LocalCgroups {
  readonly tree: Pick<CgroupTree, "isFrozen" | "processes" | "usage">;
  readonly #node: string;

  private constructor(node: string, tree: CgroupTree) {
    this.#node = node;
    this.tree = tree;
  }

  /** @param nodeDirectory of the node agent: `DATA/node` */
  static async open(nodeDirectory: string, clock: Clock): Promise<LocalCgroups> {
    const tree = new CgroupTree(await detectCgroupLayout(), clock);
    return new LocalCgroups(nodeKey(join(nodeDirectory, "native")), tree);
  }

  /** Below the root of each hierarchy. */
  path(pod: Pod): string {
    return containerNames(podNames(this.#node, podKey(pod.metadata.uid)), containerKey(podContainer)).runtimeCgroup;
  }
}
