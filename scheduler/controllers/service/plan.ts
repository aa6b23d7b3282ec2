import {
  apiVersionOf,
  type Configuration,
  configurations,
  label,
  type NewObject,
  type Route,
  routes,
  type Service,
  services,
  type TrafficTarget,
} from "@shallop/sdk/api";
import { conditionOf, conditionsFrom, failed, type Finding, isTrue, unknown } from "../shared/conditions.ts";
import { controllerReference, inheritedAnnotations, isControlledBy, withEntries } from "../shared/ownership.ts";
import { gradualRollout, rolloutPrefix, rolloutState } from "../rollout/settings.ts";
import { same } from "../shared/same.ts";

export interface ServiceWorld {
  readonly service: Service;
  /** Of the same name. */
  readonly configuration: Configuration | undefined;
  readonly route: Route | undefined;
  readonly wallMs: number;
}

export type ServiceAction =
  | { readonly kind: "create-configuration"; readonly object: NewObject<Configuration> }
  | { readonly kind: "update-configuration"; readonly object: Configuration }
  | { readonly kind: "create-route"; readonly object: NewObject<Route> }
  | { readonly kind: "update-route"; readonly object: Route };

export interface ServicePlan {
  readonly actions: readonly ServiceAction[];
  readonly status: NonNullable<Service["status"]>;
}

/** What makes the Configuration and the Route of a Service, and what the Service says of them. */
export function planService(world: ServiceWorld): ServicePlan {
  return { actions: [...planConfiguration(world), ...planRoute(world)], status: statusOf(world) };
}

const labelsOf = ({ metadata }: Service): Readonly<Record<string, string>> => ({
  ...metadata.labels,
  [label.service]: metadata.name,
  [label.serviceUid]: metadata.uid,
});

const childMeta = (service: Service) => ({
  name: service.metadata.name,
  ...(service.metadata.namespace === undefined ? {} : { namespace: service.metadata.namespace }),
  labels: labelsOf(service),
  annotations: inheritedAnnotations(service),
  ownerReferences: [controllerReference(services, service)],
});

function planConfiguration({ service, configuration }: ServiceWorld): ServiceAction[] {
  const spec = { template: service.spec.template };
  if (configuration === undefined) {
    const apiVersion = apiVersionOf(configurations);
    return [
      {
        kind: "create-configuration",
        object: { apiVersion, kind: "Configuration", metadata: childMeta(service), spec },
      },
    ];
  }
  const metadata = updatedMeta(service, configuration);
  if (!isControlledBy(configuration, service) || (metadata === undefined && same(configuration.spec, spec))) return [];
  return [
    { kind: "update-configuration", object: { ...configuration, metadata: metadata ?? configuration.metadata, spec } },
  ];
}

function planRoute({ service, route }: ServiceWorld): ServiceAction[] {
  const spec = { traffic: trafficOf(service) };
  if (route === undefined) {
    const apiVersion = apiVersionOf(routes);
    return [{ kind: "create-route", object: { apiVersion, kind: "Route", metadata: childMeta(service), spec } }];
  }
  const metadata = updatedMeta(service, route);
  if (!isControlledBy(route, service) || (metadata === undefined && same(route.spec, spec))) return [];
  return [{ kind: "update-route", object: { ...route, metadata: metadata ?? route.metadata, spec } }];
}

/**
 * What a Route does because its Service says so ends when the Service says it no more: steps of a rollout, a redirect. Others
 * may have written other annotations, and the Route's controller where its rollout is.
 */
const isServices = (key: string): boolean =>
  key !== rolloutState &&
  (key.startsWith(rolloutPrefix) || key.startsWith("networking.knative.dev/") || key === gradualRollout);

/** The child's metadata with what it inherits; undefined when it has that. */
function updatedMeta(service: Service, { metadata }: Configuration | Route): Configuration["metadata"] | undefined {
  const labels = withEntries(metadata.labels, labelsOf(service));
  const annotations = withEntries(metadata.annotations, inheritedAnnotations(service), isServices);
  if (labels === undefined && annotations === undefined) return undefined;
  return {
    ...metadata,
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

/** A Service's targets name revisions or "the latest"; a Route wants to know of which configuration. */
const trafficOf = ({ metadata, spec }: Service): readonly TrafficTarget[] =>
  (spec.traffic ?? [{ latestRevision: true, percent: 100 }]).map((target) =>
    (target.revisionName ?? "") === "" ? { ...target, configurationName: metadata.name } : target,
  );

function statusOf({ service, configuration, route, wallMs }: ServiceWorld): NonNullable<Service["status"]> {
  const before = service.status;
  const own = configuration !== undefined && isControlledBy(configuration, service) ? configuration : undefined;
  const ownRoute = route !== undefined && isControlledBy(route, service) ? route : undefined;
  const configurationsReady = configurationFinding(service, configuration, own);
  const routesReady = routeFinding(service, { route, own: ownRoute, configuration: own });
  // What a Route says while its Configuration makes a new revision, it says of the one before.
  const isOutdated =
    configurationsReady.status === "Unknown" && routesReady.status === "False" && own === configuration;
  const findings = {
    ConfigurationsReady: configurationsReady,
    RoutesReady:
      isOutdated && ownRoute === route ? unknown("OutOfDate", "the newest revision is not ready yet") : routesReady,
  };
  const { url, address, traffic } = ownRoute?.status ?? before ?? {};
  const { latestCreatedRevisionName, latestReadyRevisionName } = own?.status ?? before ?? {};
  return {
    observedGeneration: service.metadata.generation,
    conditions: conditionsFrom(findings, before?.conditions, wallMs),
    ...(url === undefined ? {} : { url }),
    ...(address === undefined ? {} : { address }),
    ...(traffic === undefined ? {} : { traffic }),
    ...(latestCreatedRevisionName === undefined ? {} : { latestCreatedRevisionName }),
    ...(latestReadyRevisionName === undefined ? {} : { latestReadyRevisionName }),
  };
}

const notOwned = (kind: string, name: string): Finding =>
  failed(
    "NotOwned",
    `there is a ${kind} "${name}" that this Service does not own; delete it, or give the Service another name`,
  );

/** What `child` says of itself, once it has seen its newest spec. */
function readyOf(child: Configuration | Route, kind: string): Finding {
  const condition = conditionOf(child, "Ready");
  if (condition === undefined || child.status?.observedGeneration !== child.metadata.generation) {
    return unknown("OutOfDate", `the ${kind} has not been looked at since its last change`);
  }
  if (condition.status === "True") return isTrue;
  const { status, reason, message } = condition;
  return { status, ...(reason === undefined ? {} : { reason }), ...(message === undefined ? {} : { message }) };
}

function configurationFinding(
  service: Service,
  present: Configuration | undefined,
  own: Configuration | undefined,
): Finding {
  if (present !== undefined && own === undefined) return notOwned("Configuration", service.metadata.name);
  if (own === undefined || !same(own.spec.template, service.spec.template)) {
    return unknown("OutOfDate", "the Configuration is about to be changed");
  }
  return readyOf(own, "Configuration");
}

function routeFinding(
  service: Service,
  {
    route,
    own,
    configuration,
  }: {
    readonly route: Route | undefined;
    readonly own: Route | undefined;
    readonly configuration: Configuration | undefined;
  },
): Finding {
  if (route !== undefined && own === undefined) return notOwned("Route", service.metadata.name);
  const wanted = trafficOf(service);
  if (own === undefined || !same(own.spec.traffic, wanted))
    return unknown("OutOfDate", "the Route is about to be changed");
  const finding = readyOf(own, "Route");
  if (finding.status !== "True") return finding;
  // knative/serving pkg/reconciler/service: ready only once requests reach the revisions that are meant now.
  const latest = configuration?.status?.latestReadyRevisionName;
  const bare = (target: TrafficTarget): unknown => {
    const { url: _url, configurationName, ...rest } = target;
    return configurationName === undefined ? rest : { ...rest, revisionName: latest };
  };
  const isMigrated = same(wanted.map(bare), (own.status?.traffic ?? []).map(bare));
  if (isMigrated) return finding;
  // A rollout in steps says itself where it is, and a change that was taken back is one that failed: that of the newest
  // revision. Until the Route has heard of it, what it says is about the one before.
  const isOfLatest = own.status?.traffic?.some((one) => one.latestRevision === true && one.revisionName === latest);
  const rollout = isOfLatest === true ? conditionOf(own, "Rollout") : undefined;
  if (rollout?.status === "False") return failed("RolledBack", rollout.message ?? "");
  if (rollout !== undefined) return unknown("RolloutInProgress", rollout.message ?? "");
  return unknown("TrafficNotMigrated", "traffic is not yet migrated to the latest revision");
}
