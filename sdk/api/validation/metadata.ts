import type { StatusCause } from "../fault.ts";
import { dig, type Json, type JsonObject, listAt, textAt, textsAt } from "../json.ts";
import { duplicate, invalid, required } from "./cause.ts";
import { labelValueFault, nameFault, type NameRule, qualifiedNameFault } from "./name-rules.ts";

// k8s.io/apimachinery/pkg/api/validation/objectmeta.go: all keys and values of annotations together.
const annotationBytesMax = 256 * 1024;

/** Checks `metadata` of an object, all fields of it. */
export function validateMetadata(object: JsonObject, rule: NameRule): StatusCause[] {
  const name = textAt(object, "metadata", "name");
  const causes: StatusCause[] = [];
  if (name === undefined || name === "") causes.push(required("metadata.name", "name or generateName is required"));
  else {
    const fault = nameFault(rule, name);
    if (fault !== undefined) causes.push(invalid("metadata.name", name, fault));
  }
  causes.push(
    ...validateLabels(textsAt(object, "metadata", "labels"), "metadata.labels"),
    ...validateAnnotations(textsAt(object, "metadata", "annotations"), "metadata.annotations"),
    ...validateOwners(listAt(object, "metadata", "ownerReferences")),
    ...validateFinalizers(listAt(object, "metadata", "finalizers")),
  );
  return causes;
}

export function validateLabels(labels: Readonly<Record<string, string>>, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  for (const [key, value] of Object.entries(labels)) {
    const keyFault = qualifiedNameFault(key);
    if (keyFault !== undefined) causes.push(invalid(path, key, keyFault));
    const valueFault = labelValueFault(value);
    if (valueFault !== undefined) causes.push(invalid(path, value, valueFault));
  }
  return causes;
}

export function validateAnnotations(annotations: Readonly<Record<string, string>>, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  let byteCount = 0;
  for (const [key, value] of Object.entries(annotations)) {
    // Keys are compared without regard to case, as apimachinery does it.
    const fault = qualifiedNameFault(key.toLowerCase());
    if (fault !== undefined) causes.push(invalid(path, key, fault));
    byteCount += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (byteCount > annotationBytesMax) {
    causes.push({
      reason: "FieldValueTooLong",
      message: `Too long: may not be more than ${annotationBytesMax} bytes`,
      field: path,
    });
  }
  return causes;
}

function validateOwners(owners: readonly Json[]): StatusCause[] {
  const causes: StatusCause[] = [];
  let controllers = 0;
  for (const [index, owner] of owners.entries()) {
    for (const field of ["apiVersion", "kind", "name", "uid"]) {
      const text = textAt(owner, field);
      const path = `metadata.ownerReferences[${index}].${field}`;
      if (text === undefined || text === "") causes.push(invalid(path, text, `${field} must not be empty`));
    }
    if (dig(owner, "controller") === true) controllers++;
  }
  if (controllers > 1) {
    const detail = `Only one reference can have Controller set to true. Found "${controllers}" references`;
    causes.push(invalid("metadata.ownerReferences", controllers, detail));
  }
  return causes;
}

function validateFinalizers(finalizers: readonly Json[]): StatusCause[] {
  const causes: StatusCause[] = [];
  const seen = new Set<Json>();
  for (const finalizer of finalizers) {
    if (typeof finalizer !== "string") continue;
    const fault = qualifiedNameFault(finalizer);
    if (fault !== undefined) causes.push(invalid("metadata.finalizers", finalizer, fault));
    if (seen.has(finalizer)) causes.push(duplicate("metadata.finalizers", finalizer));
    seen.add(finalizer);
  }
  return causes;
}
