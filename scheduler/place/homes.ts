import { type Refusal, refuseHome, type Workload } from "./filter.ts";
import type { NodeView } from "./node-view.ts";
import { rendezvousOrder } from "./rendezvous.ts";

/**
 * Nodes that keep a revision prepared. Two: with one, the loss of a node would make the first request to everything that
 * lived there wait for a pull; a third would cost every image its disk and its preparation once more for a second loss
 * in the few seconds until a new home is chosen.
 */
export const homesWanted = 2;

/** An image that four nodes in a row cannot run is to blame itself; not every node of a cluster has to pull it to see that. */
export const homeTriesMax = 4;

export interface Homes {
  /** The preferred first. */
  readonly nodes: readonly string[];
  readonly sentence: string;
  readonly refusals: readonly Refusal[];
}

/**
 * Chooses homes: the first nodes in the order of rendezvous that fit, until `homesWanted` of them have not said that the
 * image can never run there. Those that have said so stay in the list and go on trying: taken out, they would forget
 * it and be chosen again. While fewer fit than are wanted, homes of `before` that still exist stay, though they do not
 * answer now: who is back in a moment has the image, and a gateway may reach a node that the control plane cannot.
 */
export function chooseHomes(workload: Workload, nodes: readonly NodeView[], before: readonly string[]): Homes {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const order = rendezvousOrder(workload.revision, [...byName.keys()]);
  const chosen: string[] = [];
  const refusals: Refusal[] = [];
  let usable = 0;
  for (const name of order) {
    const node = byName.get(name);
    if (node === undefined) continue;
    if (usable === homesWanted || chosen.length === homeTriesMax) break;
    const refusal = refuseHome(node, workload);
    if (refusal === undefined) usable++;
    else refusals.push(refusal);
    if (refusal === undefined || refusal.code === "IMAGE_UNUSABLE") chosen.push(name);
  }
  const kept = usable === homesWanted ? [] : before.filter((name) => byName.has(name) && !chosen.includes(name));
  const all = [...chosen, ...kept.slice(0, homesWanted)];
  return { nodes: all, sentence: sentenceOf(all, nodes.length, kept), refusals };
}

function sentenceOf(chosen: readonly string[], nodeCount: number, kept: readonly string[]): string {
  if (chosen.length === 0) return `no node of ${String(nodeCount)} can be a home`;
  const waits = kept.length === 0 ? "" : `; ${kept.join(", ")} did not fit now and stay for want of others`;
  return `homes are ${chosen.join(", ")}: first in rendezvous order of the ${String(nodeCount)} nodes that there are${waits}`;
}
