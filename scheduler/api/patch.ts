import { ApiFault, isJsonList, isJsonObject, type Json, type JsonObject } from "@shallop/sdk/api";
import { describeError } from "@shallop/sdk/internal";
import { applyPatch, type Operation } from "rfc6902";
import { authorize } from "./authorize.ts";
import { badRequest } from "./faults.ts";
import type { Machinery, ObjectTarget, WriteOptions } from "./machinery.ts";
import { mergePatch } from "./merge-patch.ts";
import type { StoredObject } from "./objects.ts";
import { checkNames, decodeObject } from "./prepare.ts";
import { strategicMerge } from "./strategic-merge.ts";
import { replaceObject } from "./write.ts";

export type PatchKind = "json" | "merge" | "strategic";

// apiserver's MaxJSONPatchOperations: each operation costs time on the whole object.
const operationsMax = 10_000;

const unprocessable = (cause: unknown): ApiFault =>
  new ApiFault("Invalid", "the server rejected our request due to an error in our request", {}, { cause });

/**
 * Changes an object by a patch. A patch that names no resourceVersion is applied again when another write comes
 * between.
 * @throws ApiFault Forbidden, NotFound, Conflict, BadRequest, Invalid, UnsupportedMediaType
 */
export async function patchObject(
  machinery: Machinery,
  target: ObjectTarget,
  patch: { readonly kind: PatchKind; readonly body: Json },
  options: WriteOptions,
): Promise<StoredObject> {
  authorize({ user: options.user, verb: "patch", ...target });
  const apply = patcher(target, patch);
  return replaceObject(
    machinery,
    target,
    (old) => {
      const patched = apply(old);
      const decoded = decodeObject(target, patched, options);
      checkNames(target, decoded);
      return decoded;
    },
    options,
  );
}

function patcher(
  target: ObjectTarget,
  { kind, body }: { readonly kind: PatchKind; readonly body: Json },
): (old: StoredObject) => Json {
  switch (kind) {
    case "json":
      return jsonPatcher(body);
    case "merge":
      if (!isJsonObject(body)) throw badRequest("a merge patch of an object must be an object");
      return (old) => mergePatch(withoutVersion(old), body);
    case "strategic": {
      if (!target.kind.builtin) throw unsupportedPatch(["json", "merge"]);
      if (!isJsonObject(body)) throw badRequest("a strategic merge patch of an object must be an object");
      return (old) => strategicMerge(target.kind.type, withoutVersion(old), body);
    }
    default:
      return kind satisfies never;
  }
}

/** So that after the patch the version is there only if the patch set it: then it is a precondition. */
function withoutVersion(object: StoredObject): JsonObject {
  const { resourceVersion: _version, ...metadata } = object.metadata;
  return { ...object, metadata };
}

const mediaTypes: Readonly<Record<PatchKind, string>> = {
  json: "application/json-patch+json",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
};

/** A patch format that this kind does not take. */
export const unsupportedPatch = (accepted: readonly PatchKind[]): ApiFault =>
  new ApiFault(
    "UnsupportedMediaType",
    "the body of the request was in an unknown format - accepted media types include: " +
      [...accepted.map((kind) => mediaTypes[kind]), "application/apply-patch+yaml"].join(", "),
  );

function jsonPatcher(body: Json): (old: StoredObject) => Json {
  if (!isJsonList(body)) throw badRequest("a JSON patch must be a list of operations");
  if (body.length > operationsMax) {
    throw new ApiFault(
      "RequestEntityTooLarge",
      `The allowed maximum operations in a JSON patch is ${operationsMax}, got ${body.length}`,
    );
  }
  const operations = body.map(parseOperation);
  const setsVersion = operations.some(
    ({ op, path }) => op !== "test" && (path === "/metadata/resourceVersion" || path === "/metadata" || path === ""),
  );
  return (old) => {
    // rfc6902 changes its argument; what is stored must not change. The version is there for `test` operations.
    const document = structuredClone(old) as Json;
    const faults = applyOperations(document, operations);
    const fault = faults.find((found) => found !== null);
    if (fault !== undefined) throw unprocessable(fault);
    return isJsonObject(document) && !setsVersion && isJsonObject(document["metadata"])
      ? withoutTopVersion(document, document["metadata"])
      : document;
  };
}

function withoutTopVersion(document: JsonObject, metadata: JsonObject): JsonObject {
  const { resourceVersion: _version, ...rest } = metadata;
  return { ...document, metadata: rest };
}

function applyOperations(document: Json, operations: Operation[]): (Error | null)[] {
  try {
    return applyPatch(document, operations);
  } catch (error) {
    throw unprocessable(describeError(error));
  }
}

function parseOperation(operation: Json): Operation {
  const invalid = (): ApiFault => badRequest(`not a JSON patch operation: ${JSON.stringify(operation).slice(0, 200)}`);
  if (!isJsonObject(operation)) throw invalid();
  const { path, from, value } = operation;
  const op = typeof operation["op"] === "string" ? operation["op"] : "";
  if (typeof path !== "string" || pathIsHostile(path)) throw invalid();
  switch (op) {
    case "add":
    case "replace":
    case "test":
      return { op, path, value };
    case "remove":
      return { op, path };
    case "move":
    case "copy":
      if (typeof from !== "string" || pathIsHostile(from)) throw invalid();
      return { op, path, from };
    default:
      throw invalid();
  }
}

/** Paths into the prototype of objects. */
const pathIsHostile = (path: string): boolean => path.split("/").includes("__proto__");
