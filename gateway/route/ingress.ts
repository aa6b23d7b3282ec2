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
import { compilePredicates } from "./predicates.ts";
import { allSchemes, type Rule } from "./rule.ts";

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
  const entry = (path: PathMatch, backend: IngressBackend): Entry => {
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
      predicates: compilePredicates({}),
      schemes: allSchemes,
      rule,
      createdAt: metadata.creationTimestamp,
      origin,
      place: place++,
    };
  };
  const hosts: HostEntries[] = (spec?.rules ?? []).map(({ host, http }) => ({
    host: host === undefined || host === "" ? anyHost : host.toLowerCase(),
    entries: (http?.paths ?? []).map(({ path = "/", pathType, backend }) =>
      entry({ kind: pathType === "Exact" ? "exact" : "prefix", path: path === "" ? "/" : path }, backend),
    ),
  }));
  const fallback = spec?.defaultBackend;
  if (fallback === undefined) return hosts;
  // What no path of a rule's host takes goes there too.
  const names = new Set([...hosts.map(({ host }) => host), ...((spec?.rules ?? []).length === 0 ? [anyHost] : [])]);
  return [...hosts, ...[...names].map((host) => ({ host, entries: [entry(everything, fallback)] }))];
}
