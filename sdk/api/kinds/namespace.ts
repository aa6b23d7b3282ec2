import { ageColumn, nameColumn, textColumn } from "../columns.ts";
import { textAt, withAt } from "../json.ts";
import { allVerbs, type KindDefinition } from "../kind.ts";
import { label } from "../names.ts";
import { namespaces } from "../resources.ts";
import { notSupported } from "../validation/cause.ts";
import { isPodSecurityLevel, podSecurityLevels } from "../validation/pod-security.ts";

/** core/v1 Namespace. Deleted in two steps: Terminating until its finalizer `kubernetes` is taken away by `finalize`. */
export const namespaceKind: KindDefinition = {
  resource: namespaces,
  singular: "namespace",
  shortNames: ["ns"],
  categories: [],
  description: "Namespace provides a scope for names, and is the tenant: no process serves two of them.",
  verbs: allVerbs.filter((verb) => verb !== "deletecollection"),
  subresources: ["status", "finalize"],
  type: "Namespace",
  builtin: true,
  nameRule: "label-1123",
  generationOf: [],
  selectableFields: { "status.phase": "" },
  columns: [nameColumn, textColumn("Status", "The status of the namespace", ["status", "phase"]), ageColumn],
  defaults: [
    ["spec", {}],
    ["spec.finalizers", ["kubernetes"]],
    ["metadata.labels", {}],
  ],
  derive: (object) => {
    const name = textAt(object, "metadata", "name");
    return name === undefined ? object : withAt(object, ["metadata", "labels", "kubernetes.io/metadata.name"], name);
  },
  initialStatus: () => ({ phase: "Active" }),
  validate: (object) => {
    const level = textAt(object, "metadata", "labels", label.podSecurity);
    if (level === undefined || isPodSecurityLevel(level)) return [];
    return [notSupported(`metadata.labels[${label.podSecurity}]`, level, podSecurityLevels)];
  },
};
