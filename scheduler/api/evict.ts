import {
  ApiFault,
  type Json,
  type JsonObject,
  isJsonObject,
  kindOf,
  objectAt,
  type Pod,
  podDisruptionBudgets,
  type PodDisruptionBudget,
  pods,
  selects,
  textAt,
} from "@shallop/sdk/api";
import { assert } from "@shallop/sdk/internal";
import { authorize } from "./authorize.ts";
import { deleteObject, parseDeleteOptions } from "./delete.ts";
import { badRequest } from "./faults.ts";
import type { Machinery, ObjectTarget } from "./machinery.ts";
import { existing } from "./read.ts";
import type { User } from "./user.ts";

/** Evictions are decided one after the other: two at once would both find the pod that only one may take. */
const deciding = new WeakMap<Machinery, Promise<unknown>>();

/**
 * Deletes a pod, unless a PodDisruptionBudget would be broken by it (policy/v1, Eviction).
 * @throws ApiFault Forbidden, NotFound, BadRequest, TooManyRequests (a budget), InternalError (more than one budget)
 */
export async function evictPod(machinery: Machinery, target: ObjectTarget, body: Json, user: User): Promise<void> {
  authorize({ user, verb: "create", ...target });
  if (!isJsonObject(body) || textAt(body, "kind") !== "Eviction") throw badRequest("the body must be an Eviction");
  const named = textAt(body, "metadata", "name") ?? target.name;
  if (named !== target.name) throw badRequest(`the name of the object (${named}) is not the pod's (${target.name})`);
  const options = parseDeleteOptions(objectAt(body, "deleteOptions"), user);
  const decided = (deciding.get(machinery) ?? Promise.resolve()).then(async () => {
    // The store holds what its kind has checked.
    checkBudgets(machinery, existing(machinery, target) as unknown as Pod);
    const { subresource: _eviction, ...pod } = target;
    await deleteObject(machinery, pod, options);
  });
  deciding.set(
    machinery,
    decided.catch(() => undefined),
  );
  await decided;
}

/** A pod that does not run, or goes already, is missed by nobody. */
function checkBudgets(machinery: Machinery, pod: Pod): void {
  if (!isHealthy(pod)) return;
  const { namespace, name, labels = {} } = pod.metadata;
  const budgets = allIn<PodDisruptionBudget>(machinery, podDisruptionBudgets, namespace).filter(({ spec }) =>
    selects(spec?.selector, labels),
  );
  const [budget] = budgets;
  if (budget === undefined) return;
  if (budgets.length > 1) {
    throw new ApiFault(
      "InternalError",
      "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
    );
  }
  const selected = allIn<Pod>(machinery, pods, namespace).filter(({ metadata }) =>
    selects(budget.spec?.selector, metadata.labels ?? {}),
  );
  const healthy = selected.filter(isHealthy).length;
  const needed = neededOf(budget, selected.length);
  if (healthy > needed) return;
  const why = `The disruption budget ${budget.metadata.name} needs ${String(needed)} healthy pods and has ${String(healthy)} currently`;
  throw new ApiFault("TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.", {
    // Without a time to ask again after, as apiserver has it: clients would wait for it silently, and kubectl says why.
    ...{ name, kind: pods.plural },
    causes: [{ reason: "DisruptionBudget", message: why, field: "" }],
  });
}

/** How many of `count` pods have to run on. Shares are rounded up, as Kubernetes' disruption controller does. */
function neededOf({ spec }: PodDisruptionBudget, count: number): number {
  const { minAvailable, maxUnavailable } = spec ?? {};
  if (minAvailable !== undefined) return amountOf(minAvailable, count);
  // Neither: nothing may go.
  return maxUnavailable === undefined ? count : count - amountOf(maxUnavailable, count);
}

const amountOf = (share: number | string, count: number): number =>
  typeof share === "number" ? share : Math.ceil((Number.parseInt(share, 10) * count) / 100);

const isHealthy = ({ metadata, status }: Pod): boolean =>
  metadata.deletionTimestamp === undefined &&
  status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") === true;

function allIn<T>({ objects }: Machinery, resource: Parameters<typeof kindOf>[0], namespace?: string): readonly T[] {
  const kind = kindOf(resource);
  assert(kind !== undefined, `${resource.plural} are served`);
  return objects.store
    .list(objects.prefix(kind, namespace))
    .entries.map((entry) => objects.parse(entry) as JsonObject as unknown as T);
}
