import { nameColumn, readyColumns, textColumn } from "../columns.ts";
import type { StatusCause } from "../fault.ts";
import { type JsonObject, textAt } from "../json.ts";
import type { KindDefinition } from "../kind.ts";
import { domainMappings } from "../resources.ts";
import { invalid, required } from "../validation/cause.ts";
import { checkOneOf } from "../validation/hosts.ts";
import { servingKind } from "./serving-kind.ts";

// knative/serving pkg/apis/serving/v1beta1/domainmapping_validation.go.
function validateDomainMapping(object: JsonObject): StatusCause[] {
  const name = textAt(object, "metadata", "name") ?? "";
  const namespace = textAt(object, "spec", "ref", "namespace");
  const own = textAt(object, "metadata", "namespace");
  const causes: StatusCause[] = [];
  if (!name.includes(".")) causes.push(invalid("metadata.name", name, "must be a fully qualified domain name"));
  if (textAt(object, "spec", "ref", "name") === undefined) causes.push(required("spec.ref.name"));
  causes.push(...checkOneOf(textAt(object, "spec", "ref", "kind") ?? "", "spec.ref.kind", ["Route", "Service"]));
  if (namespace !== undefined && own !== undefined && namespace !== own)
    causes.push(invalid("spec.ref.namespace", namespace, `parent namespace: ${own} does not match ref: ${namespace}`));
  return causes;
}

/** serving.knative.dev/v1beta1 DomainMapping: a host name of one's own for a Service; its name is the host. */
export const domainMappingKind: KindDefinition = {
  ...servingKind,
  resource: domainMappings,
  singular: "domainmapping",
  shortNames: ["dm"],
  description: "DomainMapping gives a Service or Route another host name, which is its own name.",
  type: "DomainMapping",
  nameRule: "subdomain-1123",
  columns: [nameColumn, textColumn("URL", "Where it answers.", ["status", "url"]), ...readyColumns],
  defaults: [["spec.ref.apiVersion", "serving.knative.dev/v1"]],
  validate: validateDomainMapping,
};
