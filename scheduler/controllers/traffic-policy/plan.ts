import { secretType, type TrafficPolicy } from "@shallop/sdk/api";
import { fails, holds, type StrictFinding, strictConditions } from "../shared/strict-conditions.ts";
import type { RoutingWorld } from "../routing/routing-world.ts";

/** What a TrafficPolicy says of itself (Gateway API, GEP-713: Accepted, Conflicted, TargetNotFound). */
export function planTrafficPolicy(policy: TrafficPolicy, world: RoutingWorld): NonNullable<TrafficPolicy["status"]> {
  const { generation } = policy.metadata;
  const at = { generation, wallMs: world.wallMs };
  const conditions = strictConditions(
    { Accepted: accepted(policy, world), ResolvedRefs: resolvedRefs(policy, world) },
    policy.status?.conditions,
    at,
  );
  return { observedGeneration: generation, conditions };
}

function accepted(policy: TrafficPolicy, world: RoutingWorld): StrictFinding {
  const { namespace = "" } = policy.metadata;
  for (const { group = "", kind, name, sectionName = "" } of policy.spec.targetRefs) {
    if (!world.exists(group, kind, namespace, name))
      return fails("TargetNotFound", `${kind} ${namespace}/${name} is not there`);
    const rival = [...world.policies()].find(
      (other) =>
        other.metadata.uid !== policy.metadata.uid &&
        other.metadata.namespace === namespace &&
        isOlder(other, policy) &&
        other.spec.targetRefs.some(
          (target) =>
            (target.group ?? "") === group &&
            target.kind === kind &&
            target.name === name &&
            (target.sectionName ?? "") === sectionName,
        ),
    );
    if (rival !== undefined)
      return fails(
        "Conflicted",
        `TrafficPolicy ${rival.metadata.name}, which is older, is attached to ${kind} ${name}`,
      );
  }
  return holds("Accepted");
}

const isOlder = (a: TrafficPolicy, b: TrafficPolicy): boolean =>
  a.metadata.creationTimestamp < b.metadata.creationTimestamp ||
  (a.metadata.creationTimestamp === b.metadata.creationTimestamp && a.metadata.name < b.metadata.name);

/** Until the secrets of a policy are there the gateway lets nobody in. */
function resolvedRefs({ metadata, spec }: TrafficPolicy, world: RoutingWorld): StrictFinding {
  const { namespace = "" } = metadata;
  const wanted = [
    ...(spec.basicAuth?.secrets ?? []).map(({ name }) => ({ name, type: secretType.basicAuth })),
    ...(spec.jwt?.jwksSecret === undefined ? [] : [{ name: spec.jwt.jwksSecret.name, type: secretType.jwks }]),
  ];
  const missing = wanted.find(({ name, type }) => world.secret(namespace, name)?.type !== type);
  return missing === undefined
    ? holds("ResolvedRefs")
    : fails("SecretNotFound", `Secret ${namespace}/${missing.name} of the type ${missing.type} is not there`);
}
