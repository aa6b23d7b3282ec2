import { integerColumn, nameColumn, readyColumns, textColumn } from "../columns.ts";
import { dig, jsonEqual, textsAt } from "../json.ts";
import type { KindDefinition } from "../kind.ts";
import { label } from "../names.ts";
import { revisions } from "../resources.ts";
import { validateAutoscaling } from "../validation/autoscaling.ts";
import { forbidden, required } from "../validation/cause.ts";
import { validateLimits } from "../validation/limits.ts";
import { validateRevisionSpec } from "../validation/revision-spec.ts";
import { revisionSpecDefaults } from "../validation/template.ts";
import { servingKind } from "./serving-kind.ts";

/** serving.knative.dev/v1 Revision: an image and its settings, never changed once made. */
export const revisionKind: KindDefinition = {
  ...servingKind,
  resource: revisions,
  singular: "revision",
  shortNames: ["rev"],
  description: "Revision is an immutable snapshot of code and configuration; pods run revisions.",
  type: "Revision",
  columns: [
    nameColumn,
    textColumn("Config Name", "The configuration that made it.", ["metadata", "labels", label.configuration]),
    textColumn("Generation", "Generation of the configuration.", ["metadata", "labels", label.configurationGeneration]),
    ...readyColumns,
    integerColumn("Actual Replicas", "Pods that are ready.", ["status", "actualReplicas"]),
    integerColumn("Desired Replicas", "Pods that the autoscaler wants.", ["status", "desiredReplicas"]),
  ],
  defaults: revisionSpecDefaults("spec"),
  validate: (object, old, settings) => {
    const spec = dig(object, "spec");
    return [
      ...(spec === undefined ? [required("spec")] : validateRevisionSpec(spec, "spec")),
      ...validateAutoscaling(textsAt(object, "metadata", "annotations"), "metadata.annotations", settings),
      ...validateLimits(textsAt(object, "metadata", "annotations"), "metadata.annotations"),
      ...(old === undefined || jsonEqual(spec, dig(old, "spec"))
        ? []
        : [forbidden("spec", "a Revision never changes; change the template of its Configuration or Service")]),
    ];
  },
};
