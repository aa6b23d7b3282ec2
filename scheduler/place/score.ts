import { plus } from "./demand.ts";
import type { Workload } from "./filter.ts";
import { isMeant, podsBeside, skewOf } from "./neighbours.ts";
import type { NodeView, PlacedPod } from "./node-view.ts";
import { matchesTerm, tolerates } from "./requirements.ts";

/** Points of a node, 0–100 each, by the policy that gave them. */
export interface Scores {
  /** Share that stays free once the pod is there (NodeResourcesFit, LeastAllocated; cpu and memory alike). */
  readonly free: number;
  /** The image is prepared there, or will be in a moment (ImageLocality). */
  readonly prepared: number;
  /** Few pods of the same revision are there (PodTopologySpread). */
  readonly spread: number;
  /** Of what the pod prefers; −100 where all that it would avoid is, 0 where it prefers nothing. */
  readonly wishes: number;
}

/**
 * Weights as kube-scheduler's, but for the image: a node that has it starts a pod in milliseconds, another one has to
 * pull and prepare it first. It may weigh as much as being empty (1) and alone (2) together, and not more, so that a
 * revision leaves its homes when they are full and others are not.
 */
export const weights: Scores = { free: 1, prepared: 3, spread: 2, wishes: 2 };

export const totalOf = (scores: Scores): number =>
  scores.free * weights.free +
  scores.prepared * weights.prepared +
  scores.spread * weights.spread +
  scores.wishes * weights.wishes;

/**
 * A home that is about to have the image is nearly as good as one that has it, for all pods but the first: of two homes
 * one is ready before the other, and would get every pod of a new revision. The first pod waits for nothing. Nearly: so
 * that of an odd number the one more goes where it starts at once, and is never outweighed by two more (2/3 × 200).
 */
const preparingPoints = 90;

/** `podsByNode`: pods of the same revision; `podsMost`: the largest number of them on a node that may be chosen. */
export function scoreNode(
  node: NodeView,
  workload: Workload,
  spread: {
    readonly podsByNode: ReadonlyMap<string, number>;
    readonly podsMost: number;
    readonly nodes: readonly NodeView[];
  },
): Scores {
  const after = plus(node.taken, workload.demand);
  const freeShare = (all: number, taken: number): number => (all <= 0 ? 0 : Math.max(0, 1 - taken / all));
  const cpuFree = freeShare(node.allocatable.cpu, after.cpu);
  const memoryFree = freeShare(node.allocatable.memoryBytes, after.memoryBytes);
  const same = spread.podsByNode.get(node.name) ?? 0;
  return {
    free: ((cpuFree + memoryFree) / 2) * 100,
    prepared: preparedPoints(node.name, workload, spread.podsMost > 0),
    spread: spread.podsMost === 0 ? 100 : (1 - same / spread.podsMost) * 100,
    wishes: workload.pod === undefined ? 0 : wishPoints(node, workload.pod, spread.nodes),
  };
}

function preparedPoints(node: string, { prepared, preparing }: Workload, hasPods: boolean): number {
  if (prepared.has(node)) return 100;
  return hasPods && preparing.has(node) ? preparingPoints : 0;
}

/** Weights of what is fulfilled, as a share of all of them; taints that only weigh and constraints that only wish count too. */
function wishPoints(node: NodeView, pod: PlacedPod, nodes: readonly NodeView[]): number {
  const wishes = [
    ...pod.preferredNodes.map(({ weight, preference }) => ({ weight, holds: matchesTerm(preference, node) })),
    ...pod.preferredPods.map(({ weight, term }) => ({
      weight,
      holds: podsBeside(node, term.topologyKey, nodes)?.some((other) => isMeant(term, pod.namespace, other)) === true,
    })),
    ...node.taints
      .filter((taint) => taint.effect === "PreferNoSchedule")
      .map((taint) => ({ weight: -100, holds: !pod.tolerations.some((toleration) => tolerates(toleration, taint)) })),
    ...pod.spread
      .filter(({ whenUnsatisfiable }) => whenUnsatisfiable === "ScheduleAnyway")
      .map((constraint) => ({
        weight: -100,
        holds: (skewOf(constraint, pod, { node, nodes }) ?? Infinity) > constraint.maxSkew,
      })),
  ];
  const all = wishes.reduce((sum, { weight }) => sum + Math.abs(weight), 0);
  const held = wishes.reduce((sum, { weight, holds }) => sum + (holds ? weight : 0), 0);
  return all === 0 ? 0 : (held / all) * 100;
}
