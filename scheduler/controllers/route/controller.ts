import type { Revision, Route } from "@shallop/sdk/api";
import { type EventRecorder, referenceTo } from "@shallop/sdk/client";
import type { Clock } from "@shallop/sdk/internal";
import type { OutcomeBook } from "../rollout/outcome-book.ts";
import { formatState, parseState, planRollout, type RolloutPlan, type RolloutState } from "../rollout/plan.ts";
import { rolloutSettings, rolloutState } from "../rollout/settings.ts";
import type { Addresses } from "../shared/addresses.ts";
import type { Cluster } from "../shared/cluster.ts";
import { conditionOf } from "../shared/conditions.ts";
import { keyAt } from "../shared/mirror.ts";
import { same } from "../shared/same.ts";
import { planRoute, planRoutingState } from "./plan.ts";

export interface RouteControllerOptions {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly addresses: Addresses;
  readonly events: EventRecorder;
  readonly outcomes: OutcomeBook;
}

/** Route → the revisions that get its requests, in its status, where the gateway reads them. */
export class RouteController {
  readonly #options: RouteControllerOptions;
  readonly #cluster: Cluster;

  constructor(options: RouteControllerOptions) {
    this.#options = options;
    this.#cluster = options.cluster;
  }

  /** @returns when to look again, while a rollout goes on */
  async reconcile(namespace: string, name: string): Promise<number | undefined> {
    const route = this.#cluster.of("routes").get(namespace, name);
    if (route === undefined || route.metadata.deletionTimestamp !== undefined) return undefined;
    const { clock, addresses } = this.#options;
    const rollout = this.#rollout(route);
    // The state comes first: a restart between the two writes goes on from where it says.
    const written = await this.#keepState(route, rollout.state);
    const status = planRoute({
      route,
      addresses,
      wallMs: clock.wallMs(),
      configuration: (configuration) => this.#cluster.of("configurations").get(namespace, configuration),
      revision: (revision) => this.#revision(namespace, revision),
      rollout: rollout.state === undefined ? undefined : { state: rollout.state, percent: rollout.percent },
    });
    if (!same(route.status, status)) await this.#cluster.updateStatus("routes", { ...written, status });
    const { event } = rollout;
    if (event !== undefined) this.#options.events.event(referenceTo(route), event.type, event.reason, event.message);
    return rollout.lookAgainMs;
  }

  /** Keeps the labels of one revision that say which routes name it. */
  async label(namespace: string, name: string): Promise<undefined> {
    const revision = this.#revision(namespace, name);
    if (revision === undefined || revision.metadata.deletionTimestamp !== undefined) return;
    const metadata = planRoutingState(revision, this.#routesIn(namespace), this.#options.clock.wallMs());
    if (metadata !== undefined) await this.#cluster.merge("revisions", revision, { metadata });
  }

  /** How far the newest revision of the route's configuration is. */
  #rollout({ metadata, spec, status }: Route): RolloutPlan {
    const { namespace = "", annotations } = metadata;
    const [configuration] = spec.traffic.flatMap(({ configurationName = "" }) =>
      configurationName === "" ? [] : [configurationName],
    );
    const latest =
      configuration === undefined
        ? undefined
        : this.#cluster.of("configurations").get(namespace, configuration)?.status?.latestReadyRevisionName;
    if (latest === undefined) return { state: undefined, percent: 100 };
    const state = parseState(annotations?.[rolloutState]);
    const canary = this.#revision(namespace, latest);
    return planRollout({
      settings: rolloutSettings(annotations),
      state,
      latest,
      serving: status?.traffic?.find(({ latestRevision }) => latestRevision === true)?.revisionName,
      exists: (name) => this.#revision(namespace, name) !== undefined,
      isCanaryFailed: conditionOf(canary, "Ready")?.status === "False",
      observed: this.#options.outcomes.since(
        keyAt(namespace, latest),
        `${latest} ${state?.step ?? 0} ${state?.sinceMs ?? 0}`,
      ),
      wallMs: this.#options.clock.wallMs(),
    });
  }

  async #keepState(route: Route, state: RolloutState | undefined): Promise<Route> {
    const text = state === undefined ? undefined : formatState(state);
    if (route.metadata.annotations?.[rolloutState] === text) return route;
    // null takes it away in a merge patch.
    return this.#cluster.merge("routes", route, { metadata: { annotations: { [rolloutState]: text ?? null } } });
  }

  #revision(namespace: string, name: string): Revision | undefined {
    return this.#cluster.of("revisions").get(namespace, name);
  }

  #routesIn(namespace: string): readonly Route[] {
    return this.#cluster.of("routes").indexed("namespace", namespace);
  }
}
