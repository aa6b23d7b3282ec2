import {
  type PodSpec,
  referencesOf,
  annotation,
  ApiFault,
  dig,
  jsonEqual,
  type JsonObject,
  kindOf,
  listAt,
  namespaces,
  objectAt,
  servingGroup,
  textAt,
  withAt,
} from "@shallop/sdk/api";
import { assert } from "@shallop/sdk/internal";
import { forbiddenObject, notFound } from "./faults.ts";
import type { Machinery, Target } from "./machinery.ts";
import { nodeNameOf, type User } from "./user.ts";

/** Namespaces that are there from the start and stay. */
export const immortalNamespaces: readonly string[] = ["default", "kube-system"];

/** The parts of admission that need the store or the user: plug-ins of apiserver, as functions. */

/** NamespaceLifecycle: nothing is created in a namespace that is missing or on its way out. */
export function admitNamespace(machinery: Machinery, target: Target, name: string): void {
  if (!target.kind.resource.namespaced) return;
  const kind = kindOf(namespaces);
  assert(kind !== undefined, "namespaces are served");
  const namespace = target.namespace ?? "";
  const found = machinery.objects.get(kind, undefined, namespace);
  if (found === undefined) throw notFound(kind, namespace);
  if (found.metadata["deletionTimestamp"] === undefined) return;
  throw new ApiFault(
    "Forbidden",
    forbiddenObject(
      target.kind,
      name,
      `unable to create new content in namespace ${namespace} because it is being terminated`,
    ).message,
    {
      name,
      kind: target.kind.resource.plural,
      causes: [
        {
          reason: "NamespaceTerminating",
          message: `namespace ${namespace} is being terminated`,
          field: "metadata.namespace",
        },
      ],
    },
  );
}

/**
 * Knative's SetUserInfo: who made a serving object, and who last changed its spec. Objects that a controller owns keep
 * what the controller copied from the owner.
 */
export function withUserAnnotations(
  target: Target,
  object: JsonObject,
  old: JsonObject | undefined,
  user: User,
): JsonObject {
  if (target.kind.resource.group !== servingGroup) return object;
  const owned = listAt(object, "metadata", "ownerReferences").length > 0;
  const given = (key: string): string | undefined => textAt(object, "metadata", "annotations", key);
  const before = (key: string): string | undefined => textAt(old, "metadata", "annotations", key);
  const creator = before(annotation.creator) ?? (owned ? given(annotation.creator) : undefined) ?? user.name;
  const changed = old === undefined || !jsonEqual(dig(object, "spec"), dig(old, "spec"));
  const modifier = owned
    ? (given(annotation.lastModifier) ?? before(annotation.lastModifier) ?? user.name)
    : changed
      ? user.name
      : (before(annotation.lastModifier) ?? user.name);
  const annotated = withAt(object, ["metadata", "annotations", annotation.creator], creator);
  return withAt(annotated, ["metadata", "annotations", annotation.lastModifier], modifier);
}

/**
 * NodeRestriction: an agent writes its own Node, pods bound to it, and of a Revision's status only what says how this
 * node prepared it. So a node that is broken into cannot speak for another one.
 * @throws ApiFault Forbidden
 */
export function admitNode(
  user: User,
  target: Target,
  change: { readonly old?: JsonObject | undefined; readonly next?: JsonObject | undefined },
): void {
  const node = nodeNameOf(user);
  if (node === undefined) return;
  const { old, next } = change;
  const name = textAt(next ?? old, "metadata", "name") ?? "";
  const refuse = (why: string): never => {
    throw forbiddenObject(target.kind, name, `node "${node}" ${why}`);
  };
  switch (target.kind.resource.plural) {
    case "nodes":
      if (name !== node) refuse("is not allowed to modify other nodes");
      return;
    case "pods":
      for (const pod of [old, next]) {
        if (pod !== undefined && textAt(pod, "spec", "nodeName") !== node)
          refuse("can only write pods bound to itself");
      }
      // It would be shown them. What it records runs components of revisions, which take none.
      if (old === undefined && next !== undefined && secretsOf(next).size > 0) {
        refuse("is not allowed to create pods that use Secrets");
      }
      return;
    case "revisions":
      if (!jsonEqual(withoutNode(old, node), withoutNode(next, node))) {
        refuse("can only write its own entries of status.preparedNodes and status.failedNodes");
      }
      return;
    default:
  }
}

const secretsOf = (pod: JsonObject): ReadonlySet<string> =>
  // Held against its kind before.
  referencesOf(pod["spec"] as unknown as PodSpec).secrets;

/** The status of a revision without what `node` may say in it. */
function withoutNode(revision: JsonObject | undefined, node: string): JsonObject {
  const status = objectAt(revision, "status");
  return ["preparedNodes", "failedNodes"].reduce<JsonObject>((rest, list) => {
    const others = listAt(status, list).filter((entry) => textAt(entry, "node") !== node);
    return withAt(rest, [list], others.length === 0 ? undefined : others);
  }, status);
}
