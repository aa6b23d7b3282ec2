import { type DomainMapping, secretType } from "@shallop/sdk/api";
import { conditionsFrom, failed, type Finding, isTrue, unknown } from "../shared/conditions.ts";
import type { RoutingWorld } from "../routing/routing-world.ts";

/** What a DomainMapping says of itself (knative/serving pkg/apis/serving/v1beta1/domainmapping_lifecycle.go). */
export function planDomainMapping(mapping: DomainMapping, world: RoutingWorld): NonNullable<DomainMapping["status"]> {
  const { name, namespace = "", generation } = mapping.metadata;
  const { ref, tls } = mapping.spec;
  const claimed = world.claimedBy(name, namespace);
  const route = world.knativeRoute(namespace, ref.name);
  const isAssigned = (route?.status?.traffic ?? []).length > 0;
  const reference: Finding =
    route === undefined
      ? failed("ResolveFailed", `${ref.kind} "${ref.name}" referenced by the mapping was not found`)
      : isTrue;
  const findings = {
    DomainClaimed:
      claimed === undefined ? isTrue : failed("DomainAlreadyClaimed", `the domain belongs to a mapping of ${claimed}`),
    ReferenceResolved: reference,
    CertificateProvisioned: certificate(mapping, world),
    IngressReady: isAssigned ? isTrue : unknown("IngressNotConfigured", "there is nothing yet that could answer"),
  };
  const url = tls === undefined ? world.urlOf(name) : `https://${name}`;
  return {
    observedGeneration: generation,
    conditions: conditionsFrom(findings, mapping.status?.conditions, world.wallMs),
    url,
    address: { url },
  };
}

function certificate({ metadata, spec }: DomainMapping, world: RoutingWorld): Finding {
  if (spec.tls === undefined) return { status: "True", reason: "TLSNotEnabled", severity: "Info" };
  const { secretName } = spec.tls;
  const secret = world.secret(metadata.namespace ?? "", secretName);
  if (secret?.type !== secretType.tls)
    return failed("CertificateNotFound", `Secret "${secretName}" of the type ${secretType.tls} was not found`);
  const fault = world.certificateFault(secret);
  return fault === undefined ? isTrue : failed("CertificateInvalid", `Secret "${secretName}" cannot be used: ${fault}`);
}
