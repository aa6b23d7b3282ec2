import {
  dig,
  type FieldType,
  isJsonList,
  isJsonObject,
  isScalar,
  type Json,
  type JsonObject,
  messageType,
} from "@shallop/sdk/api";

// sigs.k8s.io/structured-merge-diff: which fields of an object somebody has an opinion on. A path is a list of steps as
// FieldsV1 writes them: `f:spec` a field or a key of a map, `k:{"name":"c"}` an item of a list that is a map by these
// keys, `v:"x"` an item of a set. Lists without keys are one value.

/** Paths, each as one text. */
export type FieldSet = ReadonlySet<string>;

// No field, and no JSON text, has this character.
const separator = "\0";

const pathOf = (steps: readonly string[]): string => steps.join(separator);
const stepsOf = (path: string): readonly string[] => path.split(separator);

/** For people: `.spec.containers[name="c"].image`. */
export const shownPath = (path: string): string =>
  stepsOf(path)
    .map((step) => {
      const text = step.slice(2);
      if (step.startsWith("f:")) return `.${text}`;
      if (step.startsWith("v:")) return `[=${text}]`;
      const keys = Object.entries(JSON.parse(text) as JsonObject);
      return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(",")}]`;
    })
    .join("");

/** `fields`, and all that they are within. */
export function withParents(fields: Iterable<string>): FieldSet {
  const all = new Set<string>();
  for (const path of fields) {
    for (let end = path.length; end > 0; end = path.lastIndexOf(separator, end - 1)) all.add(path.slice(0, end));
  }
  return all;
}

export const isWithin = (path: string, parent: string): boolean =>
  path === parent || path.startsWith(parent + separator);

// The schema's default for a key that may be left out (core/v1 ContainerPort, ServicePort).
const keyDefaults: Readonly<Record<string, Json>> = { protocol: "TCP" };

/** The step to `item` of a list that is a map by `keys`; JSON with sorted keys, so that one item has one step. */
function keyStep(keys: readonly string[], item: Json): string {
  const values = [...keys].sort().map((key) => [key, dig(item, key) ?? keyDefaults[key] ?? null] as const);
  return `k:${JSON.stringify(Object.fromEntries(values))}`;
}

const valueStep = (item: Json): string => `v:${JSON.stringify(item)}`;

function stepOfItem(field: FieldType, item: Json): string {
  return field.listKeys.length > 0 ? keyStep(field.listKeys, item) : valueStep(item);
}

const isGranularList = (field: FieldType): boolean => field.listKeys.length > 0 || field.set;

/** Every field of `object`, which is of the type called `type`. */
export function fieldsOf(type: string, object: JsonObject): Set<string> {
  const found = new Set<string>();
  walkMessage(type, object, []);
  return found;

  function walkMessage(name: string, value: JsonObject, at: readonly string[]): void {
    const { fields } = messageType(name);
    const entries = Object.entries(value);
    // What is empty is itself all there is to say.
    if (entries.length === 0 && at.length > 0) found.add(pathOf(at));
    for (const [member, inner] of entries) {
      if (inner !== undefined) walkField(fields.get(member), inner, [...at, `f:${member}`]);
    }
  }

  function walkField(field: FieldType | undefined, value: Json, at: readonly string[]): void {
    if (field?.shape === "map" && isJsonObject(value) && Object.keys(value).length > 0) {
      for (const [key, inner] of Object.entries(value))
        if (inner !== undefined) walkItem(field, inner, [...at, `f:${key}`]);
    } else if (field?.shape === "list" && isGranularList(field) && isJsonList(value) && value.length > 0) {
      for (const item of value) walkItem(field, item, [...at, stepOfItem(field, item)]);
    } else if (field?.shape === "one" && !isScalar(field.type) && isJsonObject(value)) {
      walkMessage(field.type, value, at);
    } else found.add(pathOf(at));
  }

  /** An item of a map or list is there in its own right, beside its fields. */
  function walkItem(field: FieldType, item: Json, at: readonly string[]): void {
    found.add(pathOf(at));
    if (!isScalar(field.type) && isJsonObject(item)) walkMessage(field.type, item, at);
  }
}

/** `live` with everything that `intent` says. Neither is changed. */
export function mergedWith(type: string, live: JsonObject, intent: JsonObject): JsonObject {
  const { fields } = messageType(type);
  const result: Record<string, Json | undefined> = { ...live };
  for (const [name, value] of Object.entries(intent)) {
    if (value !== undefined) result[name] = mergedField(fields.get(name), live[name], value);
  }
  return result;
}

function mergedField(field: FieldType | undefined, before: Json | undefined, value: Json): Json {
  if (field === undefined) return value;
  if (field.shape === "map" && isJsonObject(value)) {
    const result: Record<string, Json | undefined> = isJsonObject(before) ? { ...before } : {};
    for (const [key, inner] of Object.entries(value)) {
      if (inner !== undefined) result[key] = mergedItem(field, result[key], inner);
    }
    return result;
  }
  if (field.shape === "list" && isJsonList(value) && isGranularList(field)) {
    const result: Json[] = isJsonList(before) ? [...before] : [];
    for (const item of value) {
      const step = stepOfItem(field, item);
      const index = result.findIndex((other) => stepOfItem(field, other) === step);
      if (index === -1) result.push(item);
      else result[index] = mergedItem(field, result[index], item);
    }
    return result;
  }
  return field.shape === "one" ? mergedItem(field, before, value) : value;
}

const mergedItem = (field: FieldType, before: Json | undefined, value: Json): Json =>
  isScalar(field.type) || !isJsonObject(value) || !isJsonObject(before) ? value : mergedWith(field.type, before, value);

/** The value at a path; undefined: it is not there. */
export function valueAt(object: JsonObject, path: string): Json | undefined {
  let current: Json | undefined = object;
  for (const step of stepsOf(path))
    current = step.startsWith("f:") ? dig(current, step.slice(2)) : itemAt(current, step);
  return current;
}

// Lists are never changed, and each is looked into once for each of its items.
const itemsByStep = new WeakMap<readonly Json[], Map<string, Json>>();

function itemAt(list: Json | undefined, step: string): Json | undefined {
  if (!isJsonList(list)) return undefined;
  let items = itemsByStep.get(list);
  if (items === undefined) {
    const stepOf = stepMaker(step);
    items = new Map(list.map((item) => [stepOf(item), item]));
    itemsByStep.set(list, items);
  }
  return items.get(step);
}

/** Makes the steps of a list's items in the way in which `step` was made. */
function stepMaker(step: string): (item: Json) => string {
  if (step.startsWith("v:")) return valueStep;
  const keys = Object.keys(JSON.parse(step.slice(2)) as JsonObject);
  return (item) => keyStep(keys, item);
}

/** `object` without what is at `path`, and without what is empty for it. */
export function withoutPath(object: JsonObject, path: string): JsonObject {
  const left = withoutSteps(object, stepsOf(path));
  return isJsonObject(left) ? left : {};
}

function withoutSteps(value: Json, [step = "", ...rest]: readonly string[]): Json | undefined {
  const inner = (member: Json): Json | undefined => (rest.length === 0 ? undefined : withoutSteps(member, rest));
  if (step.startsWith("f:")) {
    const name = step.slice(2);
    const member = dig(value, name);
    if (!isJsonObject(value) || member === undefined) return value;
    const { [name]: _dropped, ...others } = value;
    const left = inner(member);
    if (left !== undefined) return { ...others, [name]: left };
    return Object.keys(others).length === 0 ? undefined : others;
  }
  if (!isJsonList(value)) return value;
  const stepOf = stepMaker(step);
  const left = value.flatMap((item) => (stepOf(item) === step ? (inner(item) ?? []) : [item]));
  return left.length === 0 ? undefined : left;
}

/** As `managedFields` carries it: an object in objects, `.` for what is there beside what is within it. */
export function toFieldsV1(fields: FieldSet): JsonObject {
  interface Tree {
    readonly children: Map<string, Tree>;
    isMember: boolean;
  }
  const root: Tree = { children: new Map(), isMember: false };
  for (const path of fields) {
    let at = root;
    for (const step of stepsOf(path)) {
      const next = at.children.get(step) ?? { children: new Map(), isMember: false };
      at.children.set(step, next);
      at = next;
    }
    at.isMember = true;
  }
  const written = ({ children, isMember }: Tree): JsonObject => ({
    ...(isMember && children.size > 0 ? { ".": {} } : {}),
    ...Object.fromEntries(
      [...children].sort(([a], [b]) => (a < b ? -1 : 1)).map(([step, tree]) => [step, written(tree)]),
    ),
  });
  return written(root);
}

/** Clients write them too; what is none is left out. */
function isStep(step: string): boolean {
  if (step.includes(separator)) return false;
  if (step.startsWith("f:")) return step.length > 2;
  if (!step.startsWith("k:") && !step.startsWith("v:")) return false;
  try {
    const json = JSON.parse(step.slice(2)) as Json;
    return step.startsWith("v:") || isJsonObject(json);
  } catch {
    return false;
  }
}

export function fromFieldsV1(json: Json | undefined): Set<string> {
  const found = new Set<string>();
  const read = (node: JsonObject, at: readonly string[]): void => {
    const steps = Object.entries(node);
    if (at.length > 0 && (steps.length === 0 || Object.hasOwn(node, "."))) found.add(pathOf(at));
    for (const [step, inner] of steps) if (isStep(step) && isJsonObject(inner)) read(inner, [...at, step]);
  };
  if (isJsonObject(json)) read(json, []);
  return found;
}
