import {
  dig,
  isPodSecurityLevel,
  type Json,
  type JsonObject,
  jsonEqual,
  kindOf,
  label,
  namespaces,
  podSecurityViolations,
  textAt,
} from "@shallop/sdk/api";
import { assert } from "@shallop/sdk/internal";
import { forbiddenObject } from "./faults.ts";
import type { Machinery, Target } from "./machinery.ts";

/**
 * PodSecurity: what pods of a namespace may ask for is said by its label. A namespace without one is of level
 * baseline, but for ports of the node. Templates are held to it like pods are, unlike in Kubernetes: a node activates a
 * revision without asking. @throws ApiFault Forbidden
 */
export function admitPodSecurity(
  machinery: Machinery,
  target: Target,
  change: { readonly old?: JsonObject | undefined; readonly next: JsonObject },
): void {
  const spec = podSpecOf(target, change.next);
  if (spec === undefined || jsonEqual(spec, podSpecOf(target, change.old))) return;
  const kind = kindOf(namespaces);
  assert(kind !== undefined, "namespaces are served");
  const namespace = machinery.objects.get(kind, undefined, target.namespace ?? "");
  const wanted = textAt(namespace, "metadata", "labels", label.podSecurity);
  const level = isPodSecurityLevel(wanted) ? wanted : undefined;
  const violations = podSecurityViolations(spec, level);
  if (violations.length === 0) return;
  const name = textAt(change.next, "metadata", "name") ?? "";
  const unset = `; no level is set: label the namespace with ${label.podSecurity}=privileged to allow it`;
  throw forbiddenObject(
    target.kind,
    name,
    `violates PodSecurity "${level ?? "baseline"}:latest": ${violations.join(", ")}${level === undefined ? unset : ""}`,
  );
}

/** The pod that an object is, or would make; undefined for kinds that make none. */
export function podSpecOf(target: Target, object: JsonObject | undefined): Json | undefined {
  switch (target.kind.resource.plural) {
    case "pods":
    case "revisions":
      return dig(object, "spec");
    case "services":
    case "configurations":
      // Kubernetes' own Service has no template.
      return dig(object, "spec", "template", "spec");
    default:
      return undefined;
  }
}
