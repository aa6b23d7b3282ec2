import { textColumn } from "../columns.ts";
import { dig, type JsonObject, textsAt } from "../json.ts";
import { allVerbs, type Column, type KindDefinition } from "../kind.ts";
import type { StatusCause } from "../fault.ts";
import { required } from "../validation/cause.ts";
import { validateRollout } from "../validation/rollout.ts";
import { validateParentAnnotations } from "../validation/template.ts";

/** What all kinds of serving.knative.dev/v1 have in common: custom resources with a status, whose names go into host names. */
export const servingKind = {
  categories: ["all", "knative", "serving"],
  verbs: allVerbs,
  subresources: ["status"],
  builtin: false,
  nameRule: "label-1035",
  generationOf: ["spec"],
  selectableFields: {},
} as const satisfies Partial<KindDefinition>;

/** Of the kinds that make revisions. */
export const latestColumns: readonly Column[] = [
  textColumn("LatestCreated", "The newest revision.", ["status", "latestCreatedRevisionName"]),
  textColumn("LatestReady", "The newest revision that is ready.", ["status", "latestReadyRevisionName"]),
];

/** Of the kinds that people write, above revisions. */
export const validateParent = (object: JsonObject): readonly StatusCause[] => [
  ...(dig(object, "spec") === undefined ? [required("spec")] : []),
  ...validateParentAnnotations(object),
  ...validateRollout(textsAt(object, "metadata", "annotations"), "metadata.annotations"),
];
