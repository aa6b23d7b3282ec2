import { annotation, type Pod } from "@shallop/sdk/api";
import { assert } from "@shallop/sdk/internal";
import type { PodState } from "./pods.ts";

export interface PodsWorld {
  readonly pods: readonly { readonly pod: Pod; readonly state: PodState }[];
  /** Pods that there shall be. */
  readonly want: number;
  /** Pods that a node is likely to bring up by itself, for a request that waits. */
  readonly expected: number;
  /** Nothing is started now: too many have failed, or the image is not there yet. */
  readonly isHeld: boolean;
}

export interface PodsPlan {
  /** How many pods to start. */
  readonly create: number;
  readonly remove: readonly PodRemoval[];
}

export interface PodRemoval {
  readonly pod: Pod;
  readonly why: "ended" | "surplus" | "lost";
}

/**
 * Pods that are started by one look at a revision. Each is a write with a sync to disk; the next look starts more, with
 * what the first ones have taken counted.
 */
export const createMax = 50;

/**
 * What to do so that there are `want` pods. Pods of a lost node do not count, and are deleted only when others serve in
 * their place: until then they may still be there.
 */
export function planPods({ pods, want, expected, isHeld }: PodsWorld): PodsPlan {
  assert(want >= 0 && expected >= 0, "numbers of pods are not negative");
  const inState = (...states: readonly PodState[]): Pod[] =>
    pods.filter(({ state }) => states.includes(state)).map(({ pod }) => pod);
  const present = pods.filter(({ state }) => state === "ready" || state === "starting");
  const ready = inState("ready").length;
  const surplus = [...present].sort(leastNeededFirst).slice(0, Math.max(0, present.length - want));
  const remove: PodRemoval[] = [
    ...inState("ended").map((pod) => ({ pod, why: "ended" as const })),
    ...surplus.map(({ pod }) => ({ pod, why: "surplus" as const })),
    ...(ready >= want ? inState("lost") : []).map((pod) => ({ pod, why: "lost" as const })),
  ];
  const missing = Math.max(0, want - present.length - expected);
  return { create: isHeld ? 0 : Math.min(missing, createMax), remove };
}

/**
 * Not ready before ready, then the youngest (kube-controller-manager, ActivePodsWithRanks), then by name. Activated pods go
 * last, the newest of them at the very end: a gateway has asked for one because it reached no other, and it may know
 * before the control plane that a node is dying. Such a pod answers already when it is first heard of.
 */
function leastNeededFirst(a: PodsWorld["pods"][number], b: PodsWorld["pods"][number]): number {
  const [aUp, bUp] = [isUp(a), isUp(b)];
  if (aUp !== bUp) return aUp ? 1 : -1;
  const [aActivated, bActivated] = [activatedAt(a.pod), activatedAt(b.pod)];
  if (aActivated !== bActivated) return aActivated < bActivated ? -1 : 1;
  const [aMade, bMade] = [a.pod.metadata.creationTimestamp, b.pod.metadata.creationTimestamp];
  if (aMade !== bMade) return aMade > bMade ? -1 : 1;
  return a.pod.metadata.name < b.pod.metadata.name ? -1 : 1;
}

/** An activated pod is up until its node has said otherwise: it is recorded first, and its status a moment later. */
const isUp = ({ pod, state }: PodsWorld["pods"][number]): boolean =>
  state === "ready" || (activatedAt(pod) !== "" && pod.status?.containerStatuses === undefined);

/** RFC 3339, which sorts as text; empty for pods that the control plane has made. */
const activatedAt = (pod: Pod): string => pod.metadata.annotations?.[annotation.activatedAt] ?? "";
