import {
  anyHost,
  gatewayController,
  type Ingress,
  type IngressBackend,
  type IngressClass,
  networkingGroup,
} from "@shallop/sdk/api";
import { Backends } from "./backends.ts";
import { compileFilters, ownMirrorsOnly } from "./filters.ts";
import type { HostEntries } from "./host-index.ts";
import type { Entry, PathMatch } from "./path-table.ts";
import { type PolicyBook, targetKey } from "./policy.ts";
import { type CompiledPredicates, compilePredicates } from "./predicates.ts";
import { allSchemes, type RoutedRequest, type Rule } from "./rule.ts";

/** The class that Shallop makes; an ingress without one is Shallop's too: there is nobody else here. */
const ownClass = "shallop";

export function isOurs(ingress: Ingress, classNamed: (name: string) => IngressClass | undefined): boolean {
  const name = ingress.spec?.ingressClassName;
  if (name === undefined || name === "") return true;
  const found = classNamed(name);
  return found === undefined ? name === ownClass : found.spec?.controller === gatewayController;
}

const ingressTarget = ({ metadata }: Ingress): string =>
  targetKey(networkingGroup, "Ingress", metadata.namespace ?? "", metadata.name);

const everything: PathMatch = { kind: "prefix", path: "/" };

/** An Ingress as rules (networking.k8s.io/v1; `ImplementationSpecific` is a prefix here). */
export function compileIngress(ingress: Ingress, policies: PolicyBook): readonly HostEntries[] {
  const { metadata, spec } = ingress;
  const namespace = metadata.namespace ?? "";
  const origin = ingressTarget(ingress);
  const targets = [origin];
  const filters = compileFilters(policies.filters(targets), ownMirrorsOnly(namespace));
  const policy = policies.policy(targets, {}, namespace);
  let place = 0;
  const entry = (host: string, path: PathMatch, backend: IngressBackend): Entry => {
    const rule: Rule = {
      name: `Ingress ${namespace}/${metadata.name}, path ${path.kind === "pattern" ? path.pattern : path.path}`,
      namespace,
      backends: new Backends([
        { weight: 1, key: `${namespace}/${backend.service?.name ?? ""}`, isKnative: false, isRefused: false },
      ]),
      filters,
      policy,
    };
    return {
      path,
      predicates: host.startsWith("*.") ? oneLabel(host.length - 1) : compilePredicates({}),
      schemes: allSchemes,
      rule,
      createdAt: metadata.creationTimestamp,
      origin,
      place: place++,
    };
  };
  const hosts: HostEntries[] = (spec?.rules ?? []).map(({ host: named, http }) => {
    const host = named === undefined || named === "" ? anyHost : named.toLowerCase();
    const entries = (http?.paths ?? []).map(({ path = "/", pathType, backend }) =>
      entry(host, { kind: pathType === "Exact" ? "exact" : "prefix", path: path === "" ? "/" : path }, backend),
    );
    return { host, entries };
  });
  const fallback = spec?.defaultBackend;
  if (fallback === undefined) return hosts;
  // "If none of the hosts or paths match": any host, and what no path of a rule's host takes.
  const names = new Set([...hosts.map(({ host }) => host), anyHost]);
  return [...hosts, ...[...names].map((host) => ({ host, entries: [entry(host, everything, fallback)] }))];
}

/** A wildcard of an Ingress stands for one label, not for several as elsewhere (IngressRule, `host`). */
function oneLabel(suffixLength: number): CompiledPredicates {
  const holds = ({ host }: RoutedRequest): boolean => host.indexOf(".") === host.length - suffixLength;
  return { ...compilePredicates({}), holds };
}
