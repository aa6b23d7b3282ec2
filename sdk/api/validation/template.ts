import type { StatusCause } from "../fault.ts";
import { dig, jsonEqual, type JsonObject, textAt, textsAt } from "../json.ts";
import type { FieldDefault, ValidationSettings } from "../kind.ts";
import { variantKinds } from "../variant.ts";
import { annotation, autoscalingPrefix } from "../names.ts";
import { validateAutoscaling } from "./autoscaling.ts";
import { forbidden, invalid, notSupported, required } from "./cause.ts";
import { validateTraffic } from "../traffic-annotations.ts";
import { isGuestAnnotation, validateLimits } from "./limits.ts";
import { validateAnnotations, validateLabels } from "./metadata.ts";
import { checkName } from "./name-rules.ts";
import { validateRevisionSpec } from "./revision-spec.ts";

/** Knative's defaults (config-defaults) for the spec of a revision that is at `path`. */
export const revisionSpecDefaults = (path: string): readonly FieldDefault[] => [
  [`${path}.containerConcurrency`, 0],
  [`${path}.timeoutSeconds`, 300],
  [`${path}.enableServiceLinks`, false],
  [`${path}.containers[].name`, "user-container"],
  [`${path}.containers[].resources`, {}],
  [`${path}.containers[].ports[].protocol`, "TCP"],
];

export const templateDefaults: readonly FieldDefault[] = revisionSpecDefaults("spec.template.spec");

/**
 * Checks `spec.template` of a Service or Configuration. A template that names its revision (BYO name) must get a new
 * name whenever it changes, since a revision never does.
 */
export function validateTemplate(
  object: JsonObject,
  old: JsonObject | undefined,
  settings: ValidationSettings,
): StatusCause[] {
  const path = "spec.template";
  const template = dig(object, "spec", "template");
  if (template === undefined) return [required(path)];
  const spec = dig(template, "spec");
  const annotations = textsAt(template, "metadata", "annotations");
  return [
    ...(spec === undefined ? [required(`${path}.spec`)] : validateRevisionSpec(spec, `${path}.spec`)),
    ...validateLabels(textsAt(template, "metadata", "labels"), `${path}.metadata.labels`),
    ...validateAnnotations(annotations, `${path}.metadata.annotations`),
    ...validateAutoscaling(annotations, `${path}.metadata.annotations`, settings),
    ...validateLimits(annotations, `${path}.metadata.annotations`),
    ...validateTraffic(annotations, `${path}.metadata.annotations`),
    ...validateVariantWish(annotations, `${path}.metadata.annotations`),
    ...validateApproval(annotations, `${path}.metadata.annotations`),
    ...validateRevisionName(object, old),
  ];
}

/** One first, or one only; both can be said as long as they agree. */
function validateVariantWish(annotations: Readonly<Record<string, string>>, path: string): StatusCause[] {
  return [annotation.preferVariant, annotation.onlyVariant].flatMap((name) => {
    const variant = annotations[name];
    return variant === undefined || variantKinds.includes(variant)
      ? []
      : [notSupported(`${path}.${name}`, variant, variantKinds)];
  });
}

/** Who deploys would approve his own wishes: a right to change revisions is another one than to change services. */
const validateApproval = (annotations: Readonly<Record<string, string>>, path: string): StatusCause[] =>
  annotations[annotation.approvedImage] === undefined
    ? []
    : [forbidden(`${path}.${annotation.approvedImage}`, "is written on the revision, by whoever approves it")];

function validateRevisionName(object: JsonObject, old: JsonObject | undefined): StatusCause[] {
  const path = "spec.template.metadata.name";
  const template = dig(object, "spec", "template");
  const name = textAt(template, "metadata", "name") ?? "";
  if (name === "") return [];
  const parent = textAt(object, "metadata", "name") ?? "";
  const causes = checkName("label-1035", name, path);
  if (parent !== "" && !name.startsWith(`${parent}-`)) {
    causes.push(invalid(path, name, `must have the prefix "${parent}-"`));
  }
  const before = dig(old, "spec", "template");
  if (textAt(before, "metadata", "name") === name && !jsonEqual(before, template)) {
    causes.push(forbidden(path, `the template was changed, and revision ${name} cannot be: give a new name or none`));
  }
  return causes;
}

/** The autoscaler and the nodes read the template: on the parent itself their annotations would do nothing. */
export function validateParentAnnotations(object: JsonObject): StatusCause[] {
  return Object.keys(textsAt(object, "metadata", "annotations"))
    .filter((key) => key.startsWith(autoscalingPrefix) || isGuestAnnotation(key))
    .map((key) =>
      forbidden(`metadata.annotations.${key}`, "belongs in spec.template.metadata.annotations, where it has effect"),
    );
}
