import { conditionOf, dig, type JsonObject, kindOf, label, nodes, revisions, textAt } from "@shallop/sdk/api";
import { assert } from "@shallop/sdk/internal";
import { forbiddenObject } from "./faults.ts";
import type { Machinery, Target } from "./machinery.ts";
import type { StoredObject } from "./objects.ts";

/** Pods of each revision that are on their way into the store. */
const comingByMachinery = new WeakMap<Machinery, Map<string, number>>();

/**
 * A revision has no more pods than its max-scale says, whoever makes them: nodes bring up pods for requests and record them
 * afterwards, and the autoscaler makes its own, neither of which sees the other's at once. One that is told No ends its pod.
 * @returns what is to be called once the pod is stored, or is not. @throws ApiFault Forbidden
 */
export function admitScale(machinery: Machinery, target: Target, next: JsonObject): () => void {
  const revision = textAt(next, "metadata", "labels", label.revision);
  const { kind, namespace } = target;
  if (kind.resource.kind !== "Pod" || namespace === undefined || revision === undefined) return () => undefined;
  const max = maxScaleOf(machinery, namespace, revision);
  if (max === 0) return () => undefined;
  const coming = comingByMachinery.get(machinery) ?? new Map<string, number>();
  comingByMachinery.set(machinery, coming);
  const key = `${namespace}/${revision}`;
  const { objects } = machinery;
  const there = objects.store
    .list(objects.prefix(kind, namespace))
    .entries.map((entry) => objects.parse(entry))
    .filter((pod) => textAt(pod, "metadata", "labels", label.revision) === revision && isAlive(machinery, pod)).length;
  const count = there + (coming.get(key) ?? 0);
  if (count >= max) {
    const name = textAt(next, "metadata", "name") ?? "";
    throw forbiddenObject(
      kind,
      name,
      `revision ${revision} has ${String(count)} pods, and its max-scale is ${String(max)}`,
    );
  }
  coming.set(key, (coming.get(key) ?? 0) + 1);
  return () => {
    const left = (coming.get(key) ?? 1) - 1;
    if (left === 0) coming.delete(key);
    else coming.set(key, left);
  };
}

/** 0: as many as it likes. */
function maxScaleOf({ objects }: Machinery, namespace: string, name: string): number {
  const kind = kindOf(revisions);
  assert(kind !== undefined, "revisions are served");
  const max = dig(objects.get(kind, namespace, name), "status", "scaling", "maxScale");
  return typeof max === "number" ? max : 0;
}

/** One that ends, has ended, or is on a node that is silent or gone, is none that serves: others are made in its place before it is deleted. */
function isAlive(machinery: Machinery, pod: StoredObject): boolean {
  const phase = textAt(pod, "status", "phase");
  if (pod.metadata["deletionTimestamp"] !== undefined || phase === "Succeeded" || phase === "Failed") return false;
  const node = textAt(pod, "spec", "nodeName");
  return node === undefined || isNodeReady(machinery, node);
}

/** The node says so, and not its pods: one that was not ready when its node fell silent says nothing of that. */
function isNodeReady({ objects }: Machinery, name: string): boolean {
  const kind = kindOf(nodes);
  assert(kind !== undefined, "nodes are served");
  const node = objects.get(kind, undefined, name);
  return node !== undefined && textAt(conditionOf(node, "Ready"), "status") === "True";
}
