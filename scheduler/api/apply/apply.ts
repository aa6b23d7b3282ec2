import {
  ApiFault,
  dig,
  isJsonObject,
  type Json,
  type JsonObject,
  objectAt,
  required,
  textAt,
  withAt,
  withDefaults,
} from "@shallop/sdk/api";
import { errorCode } from "@shallop/sdk/internal";
import { authorize } from "../authorize.ts";
import { badRequest, invalidOptions } from "../faults.ts";
import type { Machinery, ObjectTarget, WriteOptions } from "../machinery.ts";
import type { StoredObject } from "../objects.ts";
import { checkNames, decodeObject } from "../prepare.ts";
import { createObject, replaceObject } from "../write.ts";
import { fieldsOf, type FieldSet, mergedWith, withoutPath, withParents } from "./field-set.ts";
import {
  conflictFault,
  conflictsOf,
  managedFieldsFrom,
  minus,
  ownableFields,
  type Owner,
  ownersOf,
  withOwner,
} from "./managed-fields.ts";

export interface ApplyPatch {
  /** Its author, `fieldManager`. */
  readonly manager: string;
  /** All that its author wants to say of the object. */
  readonly body: Json;
  /** Takes fields from others instead of refusing. */
  readonly force: boolean;
}

/** A service says thirty things. Each thing more is compared with what each owner has said, while nobody else is served. */
const fieldsMax = 5_000;
/** Owner of all that was there when an object is applied for the first time; apiserver's name. */
const beforeFirstApply = "before-first-apply";
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";
// A create and an update that each came second: somebody makes and deletes the object all the time.
const attemptsMax = 3;

/**
 * Server-side apply: the object gets what `body` says, and loses what the same author said before and says no more, unless
 * others said it too. What others have said otherwise is a Conflict, or taken from them by `force`. An object that is not
 * there is created.
 * @throws ApiFault Forbidden, Conflict, BadRequest, Invalid, NotFound (namespace)
 */
export async function applyObject(
  machinery: Machinery,
  target: ObjectTarget,
  patch: ApplyPatch,
  options: WriteOptions,
): Promise<{ readonly object: StoredObject; readonly created: boolean }> {
  authorize({ user: options.user, verb: "patch", ...target });
  const { manager } = patch;
  if (manager === "") {
    const why = required("fieldManager");
    throw invalidOptions("PatchOptions", [{ ...why, message: "Required value: is required for apply patch" }]);
  }
  const decoded = decodeObject(target, patch.body, options);
  if (dig(decoded, "metadata", "managedFields") !== undefined) throw badRequest("metadata.managedFields must be nil");
  checkNames(target, decoded);
  const intent = ownPart(target, decoded);
  if (fieldsOf(target.kind.type, intent).size > fieldsMax) {
    throw new ApiFault("RequestEntityTooLarge", `an apply may say ${String(fieldsMax)} things at most`);
  }
  const applied = { ...options, applied: true };
  const change = { machinery, target, intent, manager, force: patch.force };
  for (let attempt = 1; ; attempt++) {
    try {
      const exists = machinery.objects.get(target.kind, target.namespace, target.name) !== undefined;
      if (exists || target.subresource !== undefined) {
        const object = await replaceObject(machinery, target, (old) => appliedTo(old, change), applied);
        return { object, created: false };
      }
      const object = await createObject(machinery, withoutName(target), appliedToNothing(change), applied);
      return { object, created: true };
    } catch (error) {
      const code = errorCode(error);
      const isRace = code === "AlreadyExists" || (code === "NotFound" && target.subresource === undefined);
      if (!isRace || attempt === attemptsMax) throw error;
    }
  }
}

/** Objects are created in a collection. */
const withoutName = ({ kind, namespace }: ObjectTarget): Omit<ObjectTarget, "name"> => ({ kind, namespace });

/** What a write of `target` may say: of the status only through `status`, and through that nothing else. */
function ownPart(target: ObjectTarget, decoded: JsonObject): JsonObject {
  const { status, ...rest } = decoded;
  if (target.subresource !== "status") return rest;
  const { apiVersion, kind } = decoded;
  const version = dig(decoded, "metadata", "resourceVersion");
  const metadata = { name: target.name, ...(version === undefined ? {} : { resourceVersion: version }) };
  return { apiVersion, kind, metadata, ...(status === undefined ? {} : { status }) };
}

interface Change {
  readonly machinery: Machinery;
  readonly target: ObjectTarget;
  readonly intent: JsonObject;
  readonly manager: string;
  readonly force: boolean;
}

const ownerOf = ({ target, manager }: Change, fields: FieldSet): Omit<Owner, "time"> => ({
  manager,
  operation: "Apply",
  subresource: target.subresource === "status" ? "status" : undefined,
  fields,
});

function appliedToNothing(change: Change): JsonObject {
  const { machinery, target, intent } = change;
  const owners = withOwner([], ownerOf(change, ownableFields(target, intent)), machinery.clock.wallMs());
  const named = withAt(intent, ["metadata", "name"], target.name);
  return withAt(named, ["metadata", "managedFields"], managedFieldsFrom(owners, target));
}

/** @throws ApiFault Conflict */
function appliedTo(old: StoredObject, change: Change): JsonObject {
  const { machinery, target, intent, manager, force } = change;
  const wallMs = machinery.clock.wallMs();
  const known = ownersOf(old);
  const owners = known.length > 0 ? known : [firstOwner(old, target, wallMs)];
  const fields = ownableFields(target, intent);
  const own = ownerOf(change, fields);
  const isOwn = (owner: Owner): boolean =>
    owner.manager === manager && owner.operation === "Apply" && owner.subresource === own.subresource;
  const others = owners.filter((owner) => !isOwn(owner));
  const merged = mergedWith(target.kind.type, old, intent);
  const conflicts = conflictsOf(fields, { old, next: withDefaults(target.kind, merged), others });
  const isSettled = force || conflicts.every(({ path }) => isOfClientSideApply(old, change).has(path));
  if (conflicts.length > 0 && !isSettled) throw conflictFault(conflicts, target);
  const lost = (owner: Owner): FieldSet =>
    new Set(conflicts.filter((conflict) => conflict.owner === owner).map(({ path }) => path));
  const left = others.map((owner) => ({ owner, next: { ...owner, fields: minus(owner.fields, lost(owner)) } }));
  // Something of others within an item keeps the item.
  const othersFields = withParents(left.flatMap(({ next }) => [...next.fields]));
  const before = owners.find(isOwn)?.fields ?? new Set<string>();
  const dropped = minus(minus(before, fields), othersFields);
  const trimmed = [...dropped].reduce((object, path) => withoutPath(object, path), merged);
  const kept = owners.flatMap((owner) => left.find((one) => one.owner === owner)?.next ?? [owner]);
  const next = withVersionOf(intent, trimmed);
  return withAt(
    withClientSideApply(next, old, change),
    ["metadata", "managedFields"],
    managedFieldsFrom(withOwner(kept, own, wallMs), target),
  );
}

/** The version is a precondition only where the intent names one. */
function withVersionOf(intent: JsonObject, object: JsonObject): JsonObject {
  return withAt(object, ["metadata", "resourceVersion"], dig(intent, "metadata", "resourceVersion"));
}

const firstOwner = (old: StoredObject, target: ObjectTarget, wallMs: number): Owner => {
  const fields = ownableFields(target, old);
  const own = { manager: beforeFirstApply, operation: "Update", subresource: undefined, fields } as const;
  return withOwner([], own, wallMs)[0] ?? { ...own, time: undefined };
};

/**
 * What kubectl said by client-side apply is kubectl's to change by server-side apply (k8s.io/apimachinery managedfields:
 * lastAppliedManager).
 */
function isOfClientSideApply(old: StoredObject, { target, manager }: Change): FieldSet {
  const configuration = manager === "kubectl" ? lastAppliedOf(old) : undefined;
  return configuration === undefined ? new Set() : fieldsOf(target.kind.type, configuration);
}

function lastAppliedOf(old: StoredObject): JsonObject | undefined {
  const text = textAt(old, "metadata", "annotations", lastApplied);
  if (text === undefined) return undefined;
  try {
    const json = JSON.parse(text) as Json;
    return isJsonObject(json) ? json : undefined;
  } catch {
    return undefined;
  }
}

/** So that who goes back to client-side apply compares with what was applied last (lastAppliedUpdater). */
function withClientSideApply(next: JsonObject, old: StoredObject, { intent, manager, target }: Change): JsonObject {
  if (manager !== "kubectl" || target.subresource !== undefined || lastAppliedOf(old) === undefined) return next;
  const text = `${JSON.stringify(withAt(intent, ["metadata", "annotations", lastApplied], undefined))}\n`;
  const annotations = { ...objectAt(next, "metadata", "annotations"), [lastApplied]: text };
  return withAt(next, ["metadata", "annotations"], annotations);
}
