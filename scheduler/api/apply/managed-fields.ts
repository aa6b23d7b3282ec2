import {
  ApiFault,
  apiVersionOf,
  type Json,
  jsonEqual,
  type JsonObject,
  isJsonObject,
  type KindDefinition,
  listAt,
  textAt,
} from "@shallop/sdk/api";
import { rfc3339 } from "@shallop/sdk/internal";
import type { Target } from "../machinery.ts";
import { fieldsOf, type FieldSet, fromFieldsV1, isWithin, shownPath, toFieldsV1, valueAt } from "./field-set.ts";

/** Who owns which fields: one entry of `metadata.managedFields`. */
export interface Owner {
  readonly manager: string;
  readonly operation: "Apply" | "Update";
  readonly subresource: string | undefined;
  readonly time: string | undefined;
  readonly fields: FieldSet;
}

/** What is to be written, by whom. */
export interface Writing {
  readonly target: Target;
  readonly manager: string;
  readonly wallMs: number;
}

// k8s.io/apimachinery managedfields: stripMeta. Fields of the server, which nobody owns.
const serverFields = [
  "apiVersion",
  "kind",
  ...[
    "name",
    "generateName",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
    "managedFields",
  ].map((field) => `metadata\0f:${field}`),
].map((path) => `f:${path}`);

const statusPath = "f:status";

/** The fields of `object` that a write of `target` has to do with: of a subresource its own, of the rest all but status. */
export function ownableFields({ kind, subresource }: Target, object: JsonObject): Set<string> {
  const isServers = (path: string): boolean => serverFields.some((field) => isWithin(path, field));
  const isOfStatus = subresource === "status";
  return new Set(
    [...fieldsOf(kind.type, object)].filter(
      (path) => !isServers(path) && isWithin(path, statusPath) === isOfStatus && path !== "f:metadata",
    ),
  );
}

export function ownersOf(object: JsonObject): readonly Owner[] {
  return listAt(object, "metadata", "managedFields").flatMap((entry) => {
    const manager = textAt(entry, "manager");
    const operation = textAt(entry, "operation");
    if (!isJsonObject(entry) || manager === undefined || (operation !== "Apply" && operation !== "Update")) return [];
    const subresource = textAt(entry, "subresource");
    return [{ manager, operation, subresource, time: textAt(entry, "time"), fields: fromFieldsV1(entry["fieldsV1"]) }];
  });
}

/** `metadata.managedFields`; undefined when there are none. Those who own nothing are left out. */
export function managedFieldsFrom(owners: readonly Owner[], target: Target): readonly Json[] | undefined {
  const entries = owners
    .filter(({ fields }) => fields.size > 0)
    .map(({ manager, operation, subresource, time, fields }) => ({
      manager,
      operation,
      apiVersion: apiVersionOf(target.kind.resource),
      ...(time === undefined ? {} : { time }),
      fieldsType: "FieldsV1",
      fieldsV1: toFieldsV1(fields),
      ...(subresource === undefined ? {} : { subresource }),
    }));
  return entries.length === 0 ? undefined : entries;
}

/** Paths of `fields` with nothing of `fields` within: those that have a value of their own. */
function leavesOf(fields: FieldSet): readonly string[] {
  const sorted = [...fields].sort();
  return sorted.filter((path, index) => {
    const next = sorted[index + 1];
    return next === undefined || !isWithin(next, path);
  });
}

export const minus = (fields: FieldSet, others: FieldSet): Set<string> =>
  new Set([...fields].filter((path) => !others.has(path)));

const sameSet = (a: FieldSet, b: FieldSet): boolean => a.size === b.size && [...a].every((path) => b.has(path));

/** `owners` with what `own` owns now. Its time changes when its fields do. */
export function withOwner(owners: readonly Owner[], own: Omit<Owner, "time">, wallMs: number): readonly Owner[] {
  const isOwn = (owner: Owner): boolean =>
    owner.manager === own.manager && owner.operation === own.operation && owner.subresource === own.subresource;
  const known = owners.find(isOwn);
  if (known !== undefined && sameSet(known.fields, own.fields)) return owners;
  const next: Owner = { ...own, time: rfc3339(wallMs) };
  return known === undefined ? [...owners, next] : owners.map((owner) => (owner === known ? next : owner));
}

// k8s.io/apimachinery managedfields: DefaultMaxUpdateManagers; the oldest are joined under one name.
const updatersMax = 10;
const ancient = "ancient-changes";

/**
 * Who owns what after a write that is no apply: what was changed or added is its writer's alone. Objects that nobody has
 * ever applied have no owners, and get none: the first apply gives all that is there to `before-first-apply`. A writer may
 * write the owners too, as kubectl does to take over from its client-side apply; one empty entry forgets them all.
 */
export function ownersAfterUpdate(
  old: JsonObject,
  next: JsonObject,
  { target, manager, wallMs }: Writing,
): Json | undefined {
  const said = listAt(next, "metadata", "managedFields");
  const before = ownersOf(said.length > 0 ? next : old);
  const subresource = target.subresource === "status" ? "status" : undefined;
  if (before.length === 0) return undefined;
  const oldFields = ownableFields(target, old);
  const newFields = ownableFields(target, next);
  const removed = minus(oldFields, newFields);
  const added = minus(newFields, oldFields);
  const changed = leavesOf(newFields).filter(
    (path) => !added.has(path) && !jsonEqual(valueAt(old, path), valueAt(next, path)),
  );
  const lost = new Set([...removed, ...changed]);
  if (lost.size === 0 && added.size === 0) return managedFieldsFrom(before, target);
  const isOwn = (owner: Owner): boolean =>
    owner.manager === manager && owner.operation === "Update" && owner.subresource === subresource;
  const own = before.find(isOwn);
  const fields = new Set([...minus(own?.fields ?? new Set(), removed), ...changed, ...added]);
  const others = before.map((owner) => (isOwn(owner) ? owner : { ...owner, fields: minus(owner.fields, lost) }));
  return managedFieldsFrom(
    joinOldest(withOwner(others, { manager, operation: "Update", subresource, fields }, wallMs)),
    target,
  );
}

function joinOldest(owners: readonly Owner[]): readonly Owner[] {
  const updaters = owners.filter(({ operation, subresource }) => operation === "Update" && subresource === undefined);
  if (updaters.length <= updatersMax) return owners;
  const oldest = updaters.toSorted((a, b) => ((a.time ?? "") < (b.time ?? "") ? -1 : 1)).slice(0, -updatersMax + 1);
  const joined: Owner = {
    manager: ancient,
    operation: "Update",
    subresource: undefined,
    time: oldest.at(-1)?.time,
    fields: new Set(oldest.flatMap(({ fields }) => [...fields])),
  };
  return [...owners.filter((owner) => !oldest.includes(owner)), joined];
}

export interface Conflict {
  readonly owner: Owner;
  readonly path: string;
}

/**
 * Those of `fields` that others own and that would change: `next` is the object as it would be, defaults filled in, so that
 * who says the same as somebody before him is not told that he says less.
 */
export function conflictsOf(
  fields: FieldSet,
  { old, next, others }: { readonly old: JsonObject; readonly next: JsonObject; readonly others: readonly Owner[] },
): Conflict[] {
  return leavesOf(fields)
    .filter((path) => !jsonEqual(valueAt(next, path), valueAt(old, path)))
    .flatMap((path) => others.filter((owner) => owner.fields.has(path)).map((owner) => ({ owner, path })));
}

/** The refusal in apiserver's words (k8s.io/apimachinery managedfields: NewConflictError), which kubectl looks for. */
export function conflictFault(conflicts: readonly Conflict[], { kind }: Target): ApiFault {
  const shown = conflicts.map(({ owner, path }) => ({ by: shownOwner(owner, kind), field: shownPath(path) }));
  const causes = shown.map(({ by, field }) => ({
    reason: "FieldManagerConflict",
    message: `conflict with ${by}`,
    field,
  }));
  const [only] = shown;
  if (only !== undefined && shown.length === 1) {
    const message = `Apply failed with 1 conflict: conflict with ${only.by}: ${only.field}`;
    return new ApiFault("Conflict", message, { causes });
  }
  const lines = [...Map.groupBy(shown, ({ by }) => by)]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([by, fields]) => [`conflicts with ${by}:`, ...fields.map(({ field }) => `- ${field}`)]);
  const message = `Apply failed with ${String(shown.length)} conflicts: ${lines.join("\n")}`;
  return new ApiFault("Conflict", message, { causes });
}

function shownOwner({ manager, operation, subresource, time }: Owner, kind: KindDefinition): string {
  const at = time === undefined ? "" : ` at ${time}`;
  const by = operation === "Update" ? ` using ${apiVersionOf(kind.resource)}${at}` : "";
  return `${JSON.stringify(manager)}${subresource === undefined ? "" : ` with subresource "${subresource}"`}${by}`;
}
