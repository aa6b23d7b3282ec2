import { assert } from "@shallop/sdk/internal";
import { plus } from "./demand.ts";
import { type Refusal, refusalSentence, refusePod, type Workload } from "./filter.ts";
import type { NodeView } from "./node-view.ts";
import { rendezvousOrder } from "./rendezvous.ts";
import { type Scores, scoreNode, totalOf, weights } from "./score.ts";

/** Where a pod goes, and why there and not elsewhere. */
export type Placement =
  | {
      readonly kind: "bound";
      readonly node: string;
      readonly sentence: string;
      /** Points of each node that could have taken it, the chosen one first. */
      readonly candidates: readonly { readonly node: string; readonly total: number; readonly scores: Scores }[];
      readonly refusals: readonly Refusal[];
    }
  | { readonly kind: "unplaceable"; readonly sentence: string; readonly refusals: readonly Refusal[] };

/**
 * Places `count` pods of one revision, one after the other, each seeing those before it. `podsByNode` has the revision's
 * pods that are there already. Stops at the first that fits nowhere: the next one would not either.
 */
export function placePods(
  workload: Workload,
  nodes: readonly NodeView[],
  { count, podsByNode }: { readonly count: number; readonly podsByNode: ReadonlyMap<string, number> },
): readonly Placement[] {
  assert(count >= 0, "a number of pods is not negative");
  const here = new Map(podsByNode);
  let views = nodes;
  const placements: Placement[] = [];
  for (let index = 0; index < count; index++) {
    const placement = placePod(workload, views, here);
    placements.push(placement);
    if (placement.kind === "unplaceable") break;
    here.set(placement.node, (here.get(placement.node) ?? 0) + 1);
    views = views.map((node) =>
      node.name === placement.node
        ? {
            ...node,
            taken: plus(node.taken, workload.demand),
            pods: workload.pod === undefined ? node.pods : [...node.pods, workload.pod],
          }
        : node,
    );
  }
  return placements;
}

/** Filter, score, bind: the decision for one pod. */
export function placePod(
  workload: Workload,
  nodes: readonly NodeView[],
  podsByNode: ReadonlyMap<string, number>,
): Placement {
  const refusals: Refusal[] = [];
  const fitting: NodeView[] = [];
  for (const node of nodes) {
    const refusal = refusePod(node, workload, nodes);
    if (refusal === undefined) fitting.push(node);
    else refusals.push(refusal);
  }
  const podsMost = Math.max(0, ...fitting.map(({ name }) => podsByNode.get(name) ?? 0));
  // Equal points are common on an empty cluster; this order spreads revisions over nodes and is the same each time.
  const rank = new Map(
    rendezvousOrder(
      workload.revision,
      fitting.map(({ name }) => name),
    ).map((name, at) => [name, at]),
  );
  const candidates = fitting
    .map((node) => {
      const scores = scoreNode(node, workload, { podsByNode, podsMost, nodes });
      return { node: node.name, total: totalOf(scores), scores };
    })
    .sort((a, b) => b.total - a.total || (rank.get(a.node) ?? 0) - (rank.get(b.node) ?? 0));
  const [best] = candidates;
  if (best === undefined) return { kind: "unplaceable", sentence: refusalSentence(refusals), refusals };
  return { kind: "bound", node: best.node, sentence: boundSentence(best, candidates, refusals), candidates, refusals };
}

function boundSentence(
  best: { readonly node: string; readonly total: number; readonly scores: Scores },
  candidates: readonly { readonly node: string; readonly total: number }[],
  refusals: readonly Refusal[],
): string {
  const { free, prepared, spread, wishes } = best.scores;
  const points =
    `image prepared ${points1(prepared)}×${String(weights.prepared)}, ` +
    `spread ${points1(spread)}×${String(weights.spread)}, free ${points1(free)}×${String(weights.free)}` +
    (wishes === 0 ? "" : `, wishes ${points1(wishes)}×${String(weights.wishes)}`);
  const [, second] = candidates;
  const than =
    second === undefined
      ? candidates.length + refusals.length === 1
        ? "the only node"
        : "the only node that fits"
      : `best of ${String(candidates.length)}, next ${second.node} with ${points1(second.total)}`;
  const others = refusals.slice(0, namedMax).map(({ node, sentence }) => `${node}: ${sentence}`);
  const refused = others.length === 0 ? "" : `; refused ${others.join("; ")}`;
  return `${best.node} has ${points1(best.total)} points (${points}), ${than}${refused}`;
}

// Enough to see why; an event has 1024 characters.
const namedMax = 5;

const points1 = (points: number): string => String(Math.round(points * 10) / 10);
