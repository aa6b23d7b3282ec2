import { annotation, type Configuration, label, type Revision, type Route, type TrafficTarget } from "@shallop/sdk/api";
import { rfc3339 } from "@shallop/sdk/internal";
import type { RolloutState } from "../rollout/plan.ts";
import { type Addresses, urlOf } from "../shared/addresses.ts";
import {
  conditionOf,
  conditionsFrom,
  failed,
  type Finding,
  isConditionTrue,
  isTrue,
  unknown,
} from "../shared/conditions.ts";

export interface RouteWorld {
  readonly route: Route;
  readonly addresses: Addresses;
  readonly wallMs: number;
  /** In the route's namespace. */
  readonly configuration: (name: string) => Configuration | undefined;
  readonly revision: (name: string) => Revision | undefined;
  /** The newest revision gets `percent` of its share only, the stable one the rest. */
  readonly rollout?: { readonly state: RolloutState; readonly percent: number } | undefined;
}

/** Which revisions get the requests of a Route, and what the Route says of it. */
export function planRoute(world: RouteWorld): NonNullable<Route["status"]> {
  const { route, addresses, wallMs } = world;
  const namespace = route.metadata.namespace ?? "default";
  const { name } = route.metadata;
  const url = urlOf(addresses, { namespace, name });
  const resolved = route.spec.traffic.map((target) => resolveTarget(world, target));
  const bad =
    resolved.find(({ finding }) => finding.status === "False") ??
    resolved.find(({ finding }) => finding.status === "Unknown");
  const before = route.status;
  // While a target has nothing that could answer, requests go where they went: nothing fails during a rollout.
  const traffic =
    bad === undefined ? resolved.flatMap(({ target }) => inSteps(withUrl(target, world), world)) : before?.traffic;
  const isAssigned = traffic !== undefined && traffic.length > 0;
  const findings: Record<string, Finding> = {
    ...(world.rollout === undefined ? {} : { Rollout: rolloutFinding(world.rollout) }),
    AllTrafficAssigned: bad?.finding ?? isTrue,
    // The gateway follows the route's status by itself; there is nothing between that could be late.
    IngressReady: isAssigned
      ? isTrue
      : unknown("IngressNotConfigured", "there is no revision yet that requests could go to"),
  };
  return {
    observedGeneration: route.metadata.generation,
    conditions: conditionsFrom(findings, before?.conditions, wallMs),
    url,
    address: { url },
    ...(traffic === undefined ? {} : { traffic }),
  };
}

/** The share of a revision that is still being tried, divided between it and the one that it is to follow. */
function inSteps(target: TrafficTarget, { rollout }: RouteWorld): readonly TrafficTarget[] {
  const { revisionName, latestRevision, percent = 0 } = target;
  if (rollout === undefined || latestRevision !== true || revisionName !== rollout.state.canary) return [target];
  // A whole percent at least, so that a step is one.
  const tried = Math.min(
    percent,
    rollout.percent === 0 ? 0 : Math.max(1, Math.round((percent * rollout.percent) / 100)),
  );
  return [
    { ...target, percent: tried },
    { revisionName: rollout.state.stable, latestRevision: false, percent: percent - tried },
  ];
}

function rolloutFinding({ state, percent }: NonNullable<RouteWorld["rollout"]>): Finding {
  const { canary, stable, phase } = state;
  return phase === "progressing"
    ? { status: "Unknown", reason: "Progressing", message: `${canary} gets ${percent}%`, severity: "Info" }
    : { status: "False", reason: "RolledBack", message: `all requests go to ${stable}`, severity: "Info" };
}

interface Resolved {
  readonly target: TrafficTarget;
  readonly finding: Finding;
}

function resolveTarget(world: RouteWorld, target: TrafficTarget): Resolved {
  const { configurationName, revisionName = "" } = target;
  return configurationName !== undefined && configurationName !== ""
    ? resolveLatest(world, target, configurationName)
    : resolveNamed(world, target, revisionName);
}

function resolveLatest(world: RouteWorld, target: TrafficTarget, name: string): Resolved {
  const configuration = world.configuration(name);
  const bad = (finding: Finding): Resolved => ({ target, finding });
  if (configuration === undefined) {
    return bad(failed("ConfigurationMissing", `Configuration "${name}" referenced in traffic was not found`));
  }
  const latest = configuration.status?.latestReadyRevisionName;
  if (latest === undefined) {
    const ready = conditionOf(configuration, "Ready");
    return bad(
      ready?.status === "False"
        ? failed("RevisionMissing", `Configuration "${name}" does not have any ready Revision: ${ready.message ?? ""}`)
        : unknown("RevisionMissing", `Configuration "${name}" is waiting for a Revision to become ready`),
    );
  }
  if (world.revision(latest) === undefined) {
    return bad(failed("RevisionMissing", `Revision "${latest}" referenced in traffic was not found`));
  }
  const { configurationName: _name, ...rest } = target;
  return { target: { ...rest, revisionName: latest, latestRevision: true }, finding: isTrue };
}

function resolveNamed(world: RouteWorld, target: TrafficTarget, name: string): Resolved {
  const bad = (finding: Finding): Resolved => ({ target, finding });
  const revision = world.revision(name);
  if (revision === undefined)
    return bad(failed("RevisionMissing", `Revision "${name}" referenced in traffic was not found`));
  // One that was ready once keeps its traffic; the gateway says what goes wrong with each request.
  const hasTraffic = world.route.status?.traffic?.some(({ revisionName }) => revisionName === name) === true;
  if (!isConditionTrue(revision, "Ready") && !hasTraffic) {
    const ready = conditionOf(revision, "Ready");
    return bad(
      ready?.status === "False"
        ? failed("RevisionMissing", `Revision "${name}" referenced in traffic failed: ${ready.message ?? ""}`)
        : unknown("RevisionMissing", `Revision "${name}" referenced in traffic is not yet ready`),
    );
  }
  return { target: { ...target, revisionName: name, latestRevision: false }, finding: isTrue };
}

function withUrl(target: TrafficTarget, { route, addresses }: RouteWorld): TrafficTarget {
  const { tag } = target;
  if (tag === undefined || tag === "") return target;
  return {
    ...target,
    url: urlOf(addresses, { namespace: route.metadata.namespace ?? "default", name: route.metadata.name, tag }),
  };
}

export interface RoutingState {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string | null>>;
}

/**
 * Labels and annotations that say which routes name a revision (knative/serving pkg/reconciler/labeler); undefined when
 * it has them. `pending` until a route first names it, then `active`, and `reserve` when none does any more.
 */
export function planRoutingState(
  revision: Revision,
  routes: readonly Route[],
  wallMs: number,
): RoutingState | undefined {
  const { name, labels, annotations } = revision.metadata;
  const naming = routes
    .filter(({ metadata, status, spec }) => {
      if (metadata.deletionTimestamp !== undefined) return false;
      return [...(status?.traffic ?? []), ...spec.traffic].some(({ revisionName }) => revisionName === name);
    })
    .map(({ metadata }) => metadata.name)
    .sort((a, b) => (a < b ? -1 : 1));
  const before = labels?.[label.routingState];
  const state = naming.length > 0 ? "active" : before === undefined || before === "pending" ? "pending" : "reserve";
  const names = naming.length === 0 ? undefined : naming.join(",");
  if (before === state && annotations?.[annotation.routes] === names) return undefined;
  return {
    labels: { [label.routingState]: state },
    annotations: {
      // null takes it away in a merge patch.
      [annotation.routes]: names ?? null,
      ...(before === state ? {} : { [annotation.routingStateModified]: rfc3339(wallMs) }),
    },
  };
}
