import type { StatusCause } from "../fault.ts";
import {
  dig,
  isJsonList,
  isJsonObject,
  type Json,
  type JsonObject,
  listAt,
  numberAt,
  textAt,
  withAt,
} from "../json.ts";
import { duplicate, forbidden, invalid, required } from "./cause.ts";
import { checkName } from "./name-rules.ts";

// knative/serving pkg/apis/serving/v1/route_validation.go and route_defaults.go.

/** A target that names no revision means the latest one. */
export function withTrafficDefaults(object: JsonObject): JsonObject {
  const traffic = dig(object, "spec", "traffic");
  if (!isJsonList(traffic)) return object;
  const targets = traffic.map((target) =>
    isJsonObject(target) && target["latestRevision"] === undefined
      ? { ...target, latestRevision: target["revisionName"] === undefined }
      : target,
  );
  return withAt(object, ["spec", "traffic"], targets);
}

/** Checks `spec.traffic`: what each target names, tags, and that the percentages are 100 together. */
export function validateTraffic(object: JsonObject, allow: { readonly configurationName: boolean }): StatusCause[] {
  const targets = listAt(object, "spec", "traffic");
  const path = "spec.traffic";
  if (targets.length === 0) return [required(path, "at least one target that gets traffic")];
  const causes: StatusCause[] = [];
  const tags = new Set<string>();
  let sum = 0;
  for (const [index, target] of targets.entries()) {
    const at = `${path}[${index}]`;
    const percent = numberAt(target, "percent") ?? 0;
    sum += percent;
    if (percent < 0 || percent > 100) causes.push(invalid(`${at}.percent`, percent, "expected 0 <= percent <= 100"));
    const tag = textAt(target, "tag") ?? "";
    if (tag !== "") {
      causes.push(...checkName("label-1035", tag, `${at}.tag`));
      if (tags.has(tag)) causes.push(duplicate(`${at}.tag`, tag));
      tags.add(tag);
    }
    causes.push(...validateTarget(target, at, allow.configurationName));
  }
  if (sum !== 100) causes.push(invalid(path, sum, "the percentages of all targets must sum to 100"));
  return causes;
}

function validateTarget(target: Json, path: string, configurationName: boolean): StatusCause[] {
  const causes: StatusCause[] = [];
  const revision = textAt(target, "revisionName") ?? "";
  const configuration = textAt(target, "configurationName") ?? "";
  const latest = dig(target, "latestRevision") === true;
  if (textAt(target, "url") !== undefined)
    causes.push(forbidden(`${path}.url`, "the URL of a tag is made by the server"));
  if (configuration !== "" && !configurationName) {
    causes.push(forbidden(`${path}.configurationName`, "a Service routes to its own revisions only"));
  }
  if (revision !== "") {
    causes.push(...checkName("label-1035", revision, `${path}.revisionName`));
    if (configuration !== "") causes.push(forbidden(`${path}.configurationName`, "may not be set with revisionName"));
    if (latest) causes.push(invalid(`${path}.latestRevision`, true, "may not be true when revisionName is set"));
  } else if (!latest) {
    causes.push(required(`${path}.revisionName`, "or set latestRevision to true"));
  } else if (configuration === "" && configurationName) {
    causes.push(required(`${path}.configurationName`, "or set revisionName"));
  }
  return causes;
}
