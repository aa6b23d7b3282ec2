import {
  ApiFault,
  dig,
  type Json,
  jsonEqual,
  type JsonObject,
  listAt,
  objectAt,
  textAt,
  withAt,
} from "@shallop/sdk/api";
import { errorCode } from "@shallop/sdk/internal";
import { admitImages } from "./admit-images.ts";
import { admitNamespace, admitNode, withUserAnnotations } from "./admission.ts";
import { admitScale } from "./admit-scale.ts";
import { holdClusterIp, withClusterIp } from "./cluster-ip.ts";
import { admitPodSecurity } from "./pod-security.ts";
import { ownersAfterUpdate } from "./apply/managed-fields.ts";
import { authorize } from "./authorize.ts";
import { alreadyExists, conflict, invalidObject, methodNotAllowed, staleObject } from "./faults.ts";
import { type Machinery, type ObjectTarget, type Target, type WriteOptions, writeAttemptsMax } from "./machinery.ts";
import { isStoredObject, revisionOf, type StoredObject } from "./objects.ts";
import { checkNames, completed, decodeObject, newMetadata, withGeneration, withServerMetadata } from "./prepare.ts";
import { existing } from "./read.ts";
import { nodeNameOf } from "./user.ts";

// k8s.io/apiserver/pkg/storage/names: room for the suffix of `generateName` in a name of 63 characters.
const generatedBaseMax = 58;
const suffixLength = 5;
/** apiserver tries so many names before it answers AlreadyExists. */
const generateAttemptsMax = 8;

/**
 * Creates an object. `status` is dropped, but for kinds that keep it (Node), and for pods that a node agent records
 * because they run already: there one write says both.
 * @throws ApiFault Forbidden, NotFound (namespace), AlreadyExists, BadRequest, Invalid, InternalError
 */
export async function createObject(
  machinery: Machinery,
  target: Target,
  body: Json,
  options: WriteOptions,
): Promise<StoredObject> {
  const { kind } = target;
  const decoded = decodeObject(target, body, options);
  const givenName = textAt(decoded, "metadata", "name") ?? "";
  const generateName = textAt(decoded, "metadata", "generateName") ?? "";
  // The authoriser knows the verb create without a name, as apiserver's does.
  authorize({ user: options.user, verb: "create", ...target });
  checkNames(target, decoded);
  const version = textAt(decoded, "metadata", "resourceVersion") ?? "";
  if (version !== "" && version !== "0") {
    throw new ApiFault("InternalError", "resourceVersion should not be set on objects to be created");
  }
  for (let attempt = 1; ; attempt++) {
    const generated = givenName === "" && generateName !== "";
    const name = generated
      ? generateName.slice(0, generatedBaseMax) + machinery.random.suffix(suffixLength)
      : givenName;
    const named = newMetadata(machinery, target, decoded, name);
    const owned = options.applied === true ? named : withAt(named, ["metadata", "managedFields"], undefined);
    const annotated = withUserAnnotations(target, owned, undefined, options.user);
    const complete = withClusterIp(machinery, target, { next: completed(machinery, target, annotated, undefined) });
    const object = withInitialStatus(target, complete, options);
    admitNamespace(machinery, target, name);
    admitNode(options.user, target, { next: object });
    admitPodSecurity(machinery, target, { next: object });
    admitImages(machinery, target, { next: object, user: options.user });
    const key = machinery.objects.key(kind, target.namespace, name);
    const taken = machinery.objects.store.get(key) !== undefined;
    const stored = admitScale(machinery, target, object);
    const addressed = holdClusterIp(machinery, target, object);
    try {
      if (taken) throw alreadyExists(kind, name);
      return await written(machinery, key, object, { expected: 0, options });
    } catch (error) {
      const code = errorCode(error);
      if (code !== "Conflict" && code !== "AlreadyExists") throw error;
      if (!generated || attempt === generateAttemptsMax) throw alreadyExists(kind, name);
    } finally {
      stored();
      addressed();
    }
  }
}

function withInitialStatus(target: Target, object: JsonObject, options: WriteOptions): JsonObject {
  const { kind } = target;
  const recorded = kind.resource.plural === "pods" && nodeNameOf(options.user) !== undefined;
  if (kind.statusOnCreate === true) return object;
  const initial = kind.initialStatus?.(object);
  return withAt(object, ["status"], recorded ? { ...initial, ...objectAt(object, "status") } : initial);
}

/**
 * Replaces an object; on the main resource without its status, on `status` only that. With a resourceVersion in the
 * body it must be the current one; without, built-in kinds are replaced whatever they are now.
 * @throws ApiFault Forbidden, NotFound, Conflict, BadRequest, Invalid, InternalError
 */
export async function updateObject(
  machinery: Machinery,
  target: ObjectTarget,
  body: Json,
  options: WriteOptions,
): Promise<StoredObject> {
  authorize({ user: options.user, verb: "update", ...target });
  const decoded = decodeObject(target, body, options);
  checkNames(target, decoded);
  if ((textAt(decoded, "metadata", "resourceVersion") ?? "") === "" && !target.kind.builtin) {
    throw invalidObject(target.kind, target.name, [
      {
        reason: "FieldValueInvalid",
        message: "Invalid value: 0: must be specified for an update",
        field: "metadata.resourceVersion",
      },
    ]);
  }
  return replaceObject(machinery, target, () => decoded, options);
}

/**
 * Makes a new state from the current one and writes it, again when another write came between, unless the new state
 * names the resourceVersion that it replaces.
 */
export async function replaceObject(
  machinery: Machinery,
  target: ObjectTarget,
  change: (old: StoredObject) => JsonObject,
  options: WriteOptions,
): Promise<StoredObject> {
  for (let attempt = 1; ; attempt++) {
    const old = existing(machinery, target);
    const wanted = change(old);
    const version = textAt(wanted, "metadata", "resourceVersion") ?? "";
    if (version !== "" && version !== "0" && version !== old.metadata.resourceVersion) {
      throw staleObject(target.kind, target.name);
    }
    const uid = textAt(wanted, "metadata", "uid") ?? old.metadata.uid;
    if (uid !== old.metadata.uid) {
      const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${old.metadata.uid}`;
      throw conflict(target.kind, target.name, why);
    }
    const next = nextState(machinery, target, { old, wanted, options });
    if (jsonEqual(next, old)) return old;
    const key = machinery.objects.key(target.kind, target.namespace, target.name);
    try {
      if (isFinished(next)) {
        if (options.dryRun === true) return old;
        return await machinery.objects.delete(key, old);
      }
      return await written(machinery, key, next, { expected: revisionOf(old), options });
    } catch (error) {
      if (errorCode(error) !== "Conflict") throw error;
      // A change that was computed from the current state may be computed again; a state that was sent may not.
      if (version !== "" || attempt === writeAttemptsMax) throw staleObject(target.kind, target.name);
    }
  }
}

interface Transition {
  readonly old: StoredObject;
  readonly wanted: JsonObject;
  readonly options: WriteOptions;
}

/** What `wanted` makes of `old`, under the rules of the (sub)resource that is written. */
function nextState(machinery: Machinery, target: Target, { old, wanted, options }: Transition): JsonObject {
  const merged = withServerMetadata(ownPart(target, wanted, old), old);
  const annotated = withUserAnnotations(target, merged, old, options.user);
  const complete = withClusterIp(machinery, target, { old, next: completed(machinery, target, annotated, old) });
  const next = withGeneration(target, complete, old);
  admitNode(options.user, target, { old, next });
  admitPodSecurity(machinery, target, { old, next });
  admitImages(machinery, target, { old, next, user: options.user });
  const writing = { target, manager: options.fieldManager ?? "unknown", wallMs: machinery.clock.wallMs() };
  const owners =
    options.applied === true ? dig(wanted, "metadata", "managedFields") : ownersAfterUpdate(old, next, writing);
  return withAt(next, ["metadata", "managedFields"], owners);
}

/** The fields of `wanted` that this (sub)resource writes; the others stay as they are. */
function ownPart(target: Target, wanted: JsonObject, old: StoredObject): JsonObject {
  switch (target.subresource) {
    case undefined: {
      const kept = target.kind.subresources.includes("status") ? withAt(wanted, ["status"], old["status"]) : wanted;
      // Only `finalize` takes the finalizers of a namespace away.
      if (!target.kind.subresources.includes("finalize")) return kept;
      return withAt(kept, ["spec", "finalizers"], dig(old, "spec", "finalizers"));
    }
    case "status": {
      const kept = withAt(old, ["status"], wanted["status"]);
      if (!target.kind.builtin) return kept;
      // core strategies: labels, annotations and finalizers may be written with the status.
      const metadata = ["labels", "annotations", "finalizers"] as const;
      return metadata.reduce<JsonObject>(
        (object, field) => withAt(object, ["metadata", field], dig(wanted, "metadata", field)),
        kept,
      );
    }
    case "finalize":
      // k8s.io/kubernetes: an empty list is what ends the namespace, so it is kept as one.
      return withAt(old, ["spec", "finalizers"], listAt(wanted, "spec", "finalizers"));
    case "resize":
      // core strategies: nothing but the resources of containers.
      return withAt(old, ["spec"], withResources(objectAt(old, "spec"), objectAt(wanted, "spec")));
    case "eviction":
    case "log":
    case "exec":
    case "attach":
    case "portforward":
      throw methodNotAllowed(target.kind);
    default:
      return target.subresource satisfies never;
  }
}

/** True when a deletion waits for nothing any more. */
function isFinished(object: JsonObject): boolean {
  if (dig(object, "metadata", "deletionTimestamp") === undefined) return false;
  const graceSeconds = dig(object, "metadata", "deletionGracePeriodSeconds") ?? 0;
  return (
    graceSeconds === 0 &&
    listAt(object, "metadata", "finalizers").length === 0 &&
    listAt(object, "spec", "finalizers").length === 0
  );
}

async function written(
  machinery: Machinery,
  key: string,
  object: JsonObject,
  write: { readonly expected: number; readonly options: WriteOptions },
): Promise<StoredObject> {
  if (write.options.dryRun !== true) return machinery.objects.put(key, object, write.expected);
  const shown = withAt(object, ["metadata", "resourceVersion"], String(write.expected));
  if (!isStoredObject(shown)) throw new ApiFault("InternalError", `dry run of ${key} made no object`);
  return shown;
}

/** `spec` with the resources that `wanted` gives its containers; a container that `wanted` does not name keeps its own. */
function withResources(spec: JsonObject, wanted: JsonObject): JsonObject {
  return ["containers", "initContainers"].reduce<JsonObject>((kept, list) => {
    const byName = new Map(listAt(wanted, list).map((container) => [textAt(container, "name"), container]));
    if (listAt(spec, list).length === 0) return kept;
    const containers = listAt(spec, list).map((container) => {
      const change = byName.get(textAt(container, "name"));
      return change === undefined ? container : withAt(objectAt(container), ["resources"], dig(change, "resources"));
    });
    return withAt(kept, [list], containers);
  }, spec);
}
