import {
  dig,
  type ImagePolicy,
  imagePolicies,
  type Json,
  type JsonObject,
  jsonEqual,
  kindOf,
  listAt,
  textAt,
} from "@shallop/sdk/api";
import type { ImageReference } from "@shallop/sdk/image";
import { assert } from "@shallop/sdk/internal";
import { policyRefusal } from "@shallop/sdk/trust";
import { forbiddenObject } from "./faults.ts";
import type { Machinery, Target } from "./machinery.ts";
import { podSpecOf } from "./pod-security.ts";
import { controllersUser, nodeNameOf, type User } from "./user.ts";

/**
 * Image policies, as far as a name tells: what may not run is not even written. Signatures and variants, which somebody
 * has to fetch, are looked at before a revision gets its digest, and again by the node before a start. Pods of
 * controllers and of nodes pass here, because they are held to the same policies where the reason can be seen.
 * @throws ApiFault Forbidden
 */
export function admitImages(
  machinery: Machinery,
  target: Target,
  change: { readonly old?: JsonObject | undefined; readonly next: JsonObject; readonly user: User },
): void {
  const { old, next, user } = change;
  if (user.name === controllersUser.name || nodeNameOf(user) !== undefined) return;
  const spec = podSpecOf(target, next);
  if (spec === undefined || jsonEqual(spec, podSpecOf(target, old))) return;
  const policies = policiesIn(machinery);
  if (policies.length === 0) return;
  const name = textAt(next, "metadata", "name") ?? "";
  for (const image of imagesOf(spec)) {
    const reference = parsed(machinery, image);
    // What is no reference is refused by whoever would pull it.
    if (reference === undefined) continue;
    const facts = { namespace: target.namespace ?? "", reference, asWritten: true };
    const refusal = policyRefusal(policies, facts);
    if (refusal !== undefined) throw forbiddenObject(target.kind, name, refusal);
  }
}

function policiesIn({ objects }: Machinery): readonly ImagePolicy[] {
  const kind = kindOf(imagePolicies);
  assert(kind !== undefined, "image policies are served");
  // What is in the store has been held against its kind.
  return objects.store
    .list(objects.prefix(kind))
    .entries.map((entry) => objects.parse(entry) as unknown as ImagePolicy);
}

const imagesOf = (spec: Json): readonly string[] =>
  ["initContainers", "containers", "ephemeralContainers"].flatMap((field) =>
    listAt(dig(spec), field).flatMap((container) => textAt(container, "image") ?? []),
  );

function parsed({ parseImage }: Machinery, image: string): ImageReference | undefined {
  try {
    return parseImage(image);
  } catch {
    return undefined;
  }
}
