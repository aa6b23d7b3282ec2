import { nameColumn, readyColumns } from "../columns.ts";
import type { KindDefinition } from "../kind.ts";
import { configurations } from "../resources.ts";
import { templateDefaults, validateTemplate } from "../validation/template.ts";
import { latestColumns, servingKind, validateParent } from "./serving-kind.ts";

/** serving.knative.dev/v1 Configuration: the wanted state of the newest revision, and the history of all. */
export const configurationKind: KindDefinition = {
  ...servingKind,
  resource: configurations,
  singular: "configuration",
  shortNames: ["config", "cfg"],
  description: "Configuration is the wanted state of the newest revision; each change of its template makes one.",
  type: "Configuration",
  columns: [nameColumn, ...latestColumns, ...readyColumns],
  defaults: templateDefaults,
  validate: (object, old, settings) => [...validateParent(object), ...validateTemplate(object, old, settings)],
};
