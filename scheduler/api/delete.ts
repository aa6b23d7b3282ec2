import { ApiFault, dig, type JsonObject, listAt, numberAt, type StatusCause, textAt, withAt } from "@shallop/sdk/api";
import { errorCode, rfc3339 } from "@shallop/sdk/internal";
import { admitNode, immortalNamespaces } from "./admission.ts";
import { authorize } from "./authorize.ts";
import { badRequest, conflict, forbiddenObject, invalidOptions } from "./faults.ts";
import { type Machinery, type ObjectTarget, type Target, writeAttemptsMax } from "./machinery.ts";
import { revisionOf, type StoredObject } from "./objects.ts";
import { existing, type ListOptions, listObjects } from "./read.ts";
import type { User } from "./user.ts";

/** `metav1.DeleteOptions`, parsed. */
export interface DeleteOptions {
  readonly user: User;
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: PropagationPolicy;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly dryRun?: boolean;
}

type PropagationPolicy = "Background" | "Foreground" | "Orphan";

const policies: readonly string[] = ["Background", "Foreground", "Orphan"];

const isPolicy = (text: string): text is PropagationPolicy => policies.includes(text);

/** Reads a DeleteOptions body (and what the query says) for `user`. @throws ApiFault Invalid, BadRequest */
export function parseDeleteOptions(body: JsonObject, user: User): DeleteOptions {
  const causes: StatusCause[] = [];
  const policy = textAt(body, "propagationPolicy");
  const refuse = (field: string, message: string): void =>
    void causes.push({ reason: "FieldValueInvalid", message: `Invalid value: ${message}`, field });
  if (policy !== undefined && !isPolicy(policy)) {
    refuse("propagationPolicy", `"${policy}": must be one of ${policies.join(", ")}`);
  }
  const graceSeconds = numberAt(body, "gracePeriodSeconds");
  if (
    dig(body, "gracePeriodSeconds") !== undefined &&
    (graceSeconds === undefined || !Number.isInteger(graceSeconds))
  ) {
    refuse("gracePeriodSeconds", "must be an integer");
  }
  if (causes.length > 0) throw invalidOptions("DeleteOptions", causes);
  const orphan = dig(body, "orphanDependents");
  if (typeof orphan === "boolean" && policy !== undefined) {
    throw badRequest("orphanDependents and propagationPolicy cannot be both set");
  }
  const uid = textAt(body, "preconditions", "uid");
  const resourceVersion = textAt(body, "preconditions", "resourceVersion");
  return {
    user,
    // A negative grace period means the shortest one, as apiserver reads it.
    ...(graceSeconds === undefined ? {} : { gracePeriodSeconds: graceSeconds < 0 ? 1 : graceSeconds }),
    ...(policy !== undefined && isPolicy(policy) ? { propagationPolicy: policy } : {}),
    ...(orphan === true ? { propagationPolicy: "Orphan" as const } : {}),
    preconditions: {
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
    dryRun: listAt(body, "dryRun").includes("All"),
  };
}

export interface Deletion {
  /** The object as it is now, or as it was when it went. */
  readonly object: StoredObject;
  /** False while it waits for its grace period or its finalizers. */
  readonly gone: boolean;
}

/**
 * Deletes an object, or marks it: pods on a node wait for their node (grace period), namespaces for their content, and
 * any object for its finalizers. Foreground and Orphan add the finalizers `foregroundDeletion` and `orphan`, which the
 * garbage collector takes away when it has done its part.
 * @throws ApiFault Forbidden, NotFound, Conflict (preconditions)
 */
export async function deleteObject(
  machinery: Machinery,
  target: ObjectTarget,
  options: DeleteOptions,
): Promise<Deletion> {
  authorize({ user: options.user, verb: "delete", ...target });
  const { kind, name } = target;
  if (kind.resource.plural === "namespaces" && immortalNamespaces.includes(name)) {
    throw forbiddenObject(kind, name, "this namespace may not be deleted");
  }
  const key = machinery.objects.key(kind, target.namespace, name);
  for (let attempt = 1; ; attempt++) {
    const old = existing(machinery, target);
    checkPreconditions(target, old, options);
    admitNode(options.user, target, { old });
    const next = marked(machinery, target, old, options);
    try {
      if (next === undefined) {
        return { object: options.dryRun === true ? old : await machinery.objects.delete(key, old), gone: true };
      }
      if (next === old || options.dryRun === true) return { object: old, gone: false };
      return { object: await machinery.objects.put(key, next, revisionOf(old)), gone: false };
    } catch (error) {
      if (errorCode(error) !== "Conflict" || attempt === writeAttemptsMax) throw error;
    }
  }
}

function checkPreconditions(target: ObjectTarget, object: StoredObject, { preconditions = {} }: DeleteOptions): void {
  const { uid, resourceVersion } = object.metadata;
  if (preconditions.uid !== undefined && preconditions.uid !== uid) {
    const why = `Precondition failed: UID in precondition: ${preconditions.uid}, UID in object meta: ${uid}`;
    throw conflict(target.kind, target.name, why);
  }
  if (preconditions.resourceVersion !== undefined && preconditions.resourceVersion !== resourceVersion) {
    const why =
      `Precondition failed: ResourceVersion in precondition: ${preconditions.resourceVersion}, ` +
      `ResourceVersion in object meta: ${resourceVersion}`;
    throw conflict(target.kind, target.name, why);
  }
}

/** `old` on its way out; `old` itself when it is so already; undefined when nothing holds it. */
function marked(
  machinery: Machinery,
  { kind }: Target,
  old: StoredObject,
  options: DeleteOptions,
): JsonObject | undefined {
  const wantedSeconds = kind.gracePeriodSeconds?.(old) ?? 0;
  // What needs no grace gets none, whatever was asked.
  const graceSeconds = wantedSeconds === 0 ? 0 : (options.gracePeriodSeconds ?? wantedSeconds);
  const finalizers = finalizersFor(old, options.propagationPolicy);
  const held = finalizers.length > 0 || listAt(old, "spec", "finalizers").length > 0;
  const before = numberAt(old, "metadata", "deletionGracePeriodSeconds");
  const isMarked = old.metadata["deletionTimestamp"] !== undefined;
  if (graceSeconds === 0 && !held) return undefined;
  // A second deletion can only shorten the grace period.
  if (isMarked && graceSeconds >= (before ?? 0)) return old;
  const generation = (numberAt(old, "metadata", "generation") ?? 1) + (isMarked ? 0 : 1);
  const metadata = {
    ...old.metadata,
    generation,
    deletionTimestamp: rfc3339(machinery.clock.wallMs() + graceSeconds * 1000),
    deletionGracePeriodSeconds: graceSeconds,
    ...(finalizers.length === 0 ? {} : { finalizers }),
  };
  const next: JsonObject = { ...old, metadata };
  return kind.resource.plural === "namespaces" ? withAt(next, ["status", "phase"], "Terminating") : next;
}

/** The finalizers of an object under deletion. Without a policy those that it has decide. */
function finalizersFor(object: StoredObject, policy: PropagationPolicy | undefined): string[] {
  const present = listAt(object, "metadata", "finalizers").filter((finalizer) => typeof finalizer === "string");
  if (policy === undefined || object.metadata["deletionTimestamp"] !== undefined) return present;
  const others = present.filter((finalizer) => finalizer !== "orphan" && finalizer !== "foregroundDeletion");
  if (policy === "Foreground") return [...others, "foregroundDeletion"];
  return policy === "Orphan" ? [...others, "orphan"] : others;
}

/** Deletes every object that the selectors match. Resolves with them, as they were. */
export async function deleteCollection(
  machinery: Machinery,
  target: Target,
  selection: ListOptions,
  options: DeleteOptions,
): Promise<{ readonly items: readonly StoredObject[]; readonly resourceVersion: string }> {
  authorize({ user: options.user, verb: "deletecollection", ...target });
  const { items, resourceVersion } = listObjects(machinery, target, selection, options.user);
  for (const item of items) {
    const namespace = textAt(item, "metadata", "namespace");
    try {
      await deleteObject(machinery, { kind: target.kind, namespace, name: item.metadata.name }, options);
    } catch (error) {
      // Somebody else was quicker.
      if (!(error instanceof ApiFault) || error.code !== "NotFound") throw error;
    }
  }
  return { items, resourceVersion };
}
