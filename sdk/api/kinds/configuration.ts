import { nameColumn, readyColumns, textColumn } from "../columns.ts";
import { dig } from "../json.ts";
import { allVerbs, type KindDefinition } from "../kind.ts";
import { configurations } from "../resources.ts";
import { required } from "../validation/cause.ts";
import { templateDefaults, validateParentAnnotations, validateTemplate } from "../validation/template.ts";

/** serving.knative.dev/v1 Configuration: the wanted state of the newest revision, and the history of all. */
export const configurationKind: KindDefinition = {
  resource: configurations,
  singular: "configuration",
  shortNames: ["config", "cfg"],
  categories: ["all", "knative", "serving"],
  description: "Configuration is the wanted state of the newest revision; each change of its template makes one.",
  verbs: allVerbs,
  subresources: ["status"],
  type: "Configuration",
  builtin: false,
  nameRule: "label-1035",
  generationOf: ["spec"],
  selectableFields: {},
  columns: [
    nameColumn,
    textColumn("LatestCreated", "The newest revision.", ["status", "latestCreatedRevisionName"]),
    textColumn("LatestReady", "The newest revision that is ready.", ["status", "latestReadyRevisionName"]),
    ...readyColumns,
  ],
  defaults: templateDefaults,
  validate: (object, old, settings) => [
    ...(dig(object, "spec") === undefined ? [required("spec")] : []),
    ...validateParentAnnotations(object),
    ...validateTemplate(object, old, settings),
  ],
};
