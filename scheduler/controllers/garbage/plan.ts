import type { ApiObject, OwnerReference } from "@shallop/sdk/api";

/** metav1: finalizers that a deletion with a propagation policy puts on an object, for the garbage collector. */
export const foregroundFinalizer = "foregroundDeletion";
const orphanFinalizer = "orphan";

export type CollectAction =
  /** All its owners are gone. `foreground`: its own dependents go first. */
  | { readonly kind: "delete"; readonly foreground: boolean }
  /** Some owners are gone, others live. */
  | { readonly kind: "drop-owners"; readonly uids: readonly string[] }
  | { readonly kind: "remove-finalizer"; readonly finalizer: string }
  | { readonly kind: "orphan-dependents" }
  | { readonly kind: "delete-dependents" };

/** What is known about an owner: `waiting` is being deleted in the foreground and waits for its dependents. */
export type OwnerState = "present" | "waiting" | "absent";

/**
 * What becomes of an object because of its owners and dependents (kube-controller-manager, garbage collector). Owners
 * are known by uid: one of the same name that was made anew is another one.
 */
export function planCollect(
  object: ApiObject,
  ownerState: (reference: OwnerReference) => OwnerState,
  dependents: readonly ApiObject[],
): readonly CollectAction[] {
  const { deletionTimestamp, finalizers = [], ownerReferences = [] } = object.metadata;
  if (deletionTimestamp !== undefined) return planDeletion(object, finalizers, dependents);
  if (ownerReferences.length === 0) return [];
  const states = ownerReferences.map((reference) => ({ reference, state: ownerState(reference) }));
  const present = states.filter(({ state }) => state === "present");
  const gone = states.filter(({ state }) => state !== "present");
  if (gone.length === 0) return [];
  // One owner that lives keeps it.
  if (present.length > 0) return [{ kind: "drop-owners", uids: gone.map(({ reference }) => reference.uid) }];
  const isAwaited = states.some(({ state, reference }) => state === "waiting" && reference.blockOwnerDeletion === true);
  return [{ kind: "delete", foreground: isAwaited && dependents.length > 0 }];
}

function planDeletion(
  { metadata }: ApiObject,
  finalizers: readonly string[],
  dependents: readonly ApiObject[],
): readonly CollectAction[] {
  if (finalizers.includes(orphanFinalizer)) {
    return dependents.length > 0
      ? [{ kind: "orphan-dependents" }]
      : [{ kind: "remove-finalizer", finalizer: orphanFinalizer }];
  }
  if (!finalizers.includes(foregroundFinalizer)) return [];
  const isBlocking = dependents.some(({ metadata: { ownerReferences = [] } }) =>
    ownerReferences.some(({ uid, blockOwnerDeletion }) => uid === metadata.uid && blockOwnerDeletion === true),
  );
  const actions: CollectAction[] = [];
  if (dependents.some(({ metadata: { deletionTimestamp } }) => deletionTimestamp === undefined)) {
    actions.push({ kind: "delete-dependents" });
  }
  if (!isBlocking) actions.push({ kind: "remove-finalizer", finalizer: foregroundFinalizer });
  return actions;
}
