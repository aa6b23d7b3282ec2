import { type ApiObject, label, type Revision, type Route } from "@shallop/sdk/api";
import { type ApiClient, EventRecorder } from "@shallop/sdk/client";
import type { Clock, Log, Random, Timer } from "@shallop/sdk/internal";
import { Metrics } from "@shallop/sdk/internal/telemetry";
import type { Explanation, LoadReport } from "@shallop/sdk/wire";
import type { AutoscalerConfig } from "../autoscale/config.ts";
import type { IdleBook } from "../autoscale/idle-book.ts";
import { nodeView } from "../place/node-view.ts";
import { nothingTaken } from "../place/demand.ts";
import { ApiServiceController } from "./api-service/controller.ts";
import type { ApiServerEnd } from "./api-service/plan.ts";
import { Autoscaler } from "./autoscaler/autoscaler.ts";
import { ServiceExplainer } from "./autoscaler/explainer.ts";
import { type AskNodes, UsageBook } from "./autoscaler/usage-book.ts";
import { CertificateController } from "./certificate/controller.ts";
import type { Issuers } from "./certificate/issuer.ts";
import { ConfigurationController } from "./configuration/controller.ts";
import { observeControllers, reconcileDurations } from "./controllers-metrics.ts";
import { GarbageController } from "./garbage/controller.ts";
import { NamespaceController, type NamespaceFinalizer } from "./namespace/controller.ts";
import { NodeController } from "./node/controller.ts";
import { type NodePatience, usualPatience } from "./node/plan.ts";
import { PodController } from "./pod/controller.ts";
import { type ImageKnowledge, PolicedImageResolver } from "./revision/policed-image-resolver.ts";
import { RevisionController } from "./revision/controller.ts";
import type { ImageResolver } from "./revision/image-resolver.ts";
import { NodeRoom } from "./revision/node-room.ts";
import { Resolutions } from "./revision/resolutions.ts";
import { OutcomeBook } from "./rollout/outcome-book.ts";
import { RouteController } from "./route/controller.ts";
import { RoutingController } from "./routing/controller.ts";
import { ServiceController } from "./service/controller.ts";
import type { Addresses } from "./shared/addresses.ts";
import { BindTimes } from "./shared/bind-times.ts";
import { Cluster, type WatchedKind } from "./shared/cluster.ts";
import { type Change, keyAt, keyOf } from "./shared/mirror.ts";
import { WorkQueue } from "./shared/work-queue.ts";

export interface ControllersOptions {
  readonly client: ApiClient & NamespaceFinalizer;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly images: ImageResolver;
  /** Asked when an image policy wants to know more of an image than its name. */
  readonly imageKnowledge: ImageKnowledge;
  readonly addresses: Addresses;
  /** Where clients reach the API server; asked when it serves. */
  readonly apiServer: () => ApiServerEnd;
  readonly autoscaler: AutoscalerConfig;
  readonly idleTimes: IdleBook;
  /** Asks nodes what their pods use, for revisions that scale by it. */
  readonly askNodes: AskNodes;
  /** How long a silent node is waited for; as usual when absent. */
  readonly nodePatience?: NodePatience;
  /** Who issues certificates, where somebody does. */
  readonly issuers?: Issuers;
  readonly metrics?: Metrics;
}

const nodeLookMs = 1_000;
/** Everything is looked at again this often, in case a controller has a blind spot (Kubernetes: 10 h; we are smaller). */
const resyncMs = 600_000;
/**
 * Keys of a queue that are worked on at the same time. Each waits for writes, and writes of the same turn share one sync
 * to disk: eight at once cost little more than one.
 */
const concurrency = 8;
/** The key of what there is one of. */
const theOne = "all";

/** All controllers, their queues, and which change concerns whom. */
export class Controllers implements AsyncDisposable {
  readonly #options: ControllersOptions;
  readonly #metrics: Metrics;
  readonly #watching = new AbortController();
  readonly #cluster: Cluster;
  readonly #events: EventRecorder;
  readonly #autoscaler: Autoscaler;
  readonly #explainer: ServiceExplainer;
  readonly #resolutions: Resolutions;
  readonly #nodes: NodeController;
  readonly #garbage: GarbageController;
  readonly #routing: RoutingController;
  readonly #outcomes = new OutcomeBook();
  readonly #queues: Readonly<Record<QueueName, WorkQueue>>;
  readonly #nodeFacts = new Map<string, string>();
  readonly #timers: Timer[] = [];
  #looking: Promise<void> | undefined;

  constructor(options: ControllersOptions) {
    const { client, clock, random, log } = options;
    this.#options = options;
    this.#metrics = options.metrics ?? new Metrics();
    this.#cluster = new Cluster({ client, clock, random, log, signal: this.#watching.signal });
    const cluster = this.#cluster;
    this.#events = new EventRecorder(client, { component: "shallop-scheduler", clock, random, log });
    const events = this.#events;
    const onChange = (key: string): void => this.#queues.revision.add(key);
    this.#autoscaler = new Autoscaler({
      config: options.autoscaler,
      idleTimes: options.idleTimes,
      usage: new UsageBook({ cluster, clock, log, askNodes: options.askNodes }),
      clock,
      log,
      events,
      onChange,
    });
    this.#explainer = new ServiceExplainer(cluster, this.#autoscaler);
    const images = new PolicedImageResolver({
      resolver: options.images,
      knowledge: options.imageKnowledge,
      policies: () => [...cluster.of("imagePolicies").items()],
      running: (revision) => runningBeside(cluster, revision),
      events,
    });
    this.#resolutions = new Resolutions(images, { clock, log }, (key) => this.#queues.revision.add(key));
    this.#nodes = new NodeController({
      ...{ cluster, clock, log, events },
      patience: options.nodePatience ?? usualPatience,
      onStateChange: () => this.#addAllRevisions(),
    });
    this.#garbage = new GarbageController(cluster);
    this.#routing = new RoutingController({ cluster, clock, addresses: options.addresses, events });
    this.#queues = this.#makeQueues();
    observeControllers(this.#metrics, { autoscaler: this.#autoscaler, queues: this.#queues });
    cluster.onChange((kind, change) => this.#changed(kind, change));
  }

  /** Resolves when everything is known and all loops run. @throws when `dispose` comes first */
  async start(): Promise<void> {
    const { clock } = this.#options;
    await this.#cluster.synced();
    await this.#lookAtNodes();
    await this.#routing.ensureClasses();
    this.#queues.apiService.add(theOne);
    for (const queue of Object.values(this.#queues)) queue.start();
    this.#autoscaler.start();
    this.#timers.push(clock.every(nodeLookMs, () => void this.#lookAtNodes()));
    this.#timers.push(clock.every(resyncMs, () => this.#resync()));
  }

  /** For the API: load reports of gateways. */
  report(report: LoadReport): void {
    this.#autoscaler.report(report);
    this.#outcomes.report(report);
  }

  /** For the API. @throws ApiFault NotFound, BadRequest */
  explain(namespace: string, service: string, settings?: string): Explanation {
    return this.#explainer.explain(namespace, service, settings);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) timer.cancel();
    this.#autoscaler[Symbol.dispose]();
    this.#resolutions.stop();
    await Promise.all(Object.values(this.#queues).map((queue) => queue.stop()));
    await this.#looking;
    await this.#events.stop();
    this.#watching.abort(new Error("the controllers stop"));
    await this.#cluster.stopped();
  }

  #makeQueues(): Readonly<Record<QueueName, WorkQueue>> {
    const { clock, random, log, addresses, client } = this.#options;
    const cluster = this.#cluster;
    const service = new ServiceController(cluster, clock);
    const configuration = new ConfigurationController(cluster, clock);
    const route = new RouteController({ cluster, clock, addresses, events: this.#events, outcomes: this.#outcomes });
    const namespace = new NamespaceController(cluster, client);
    const { domain } = addresses;
    const { issuers = {} } = this.#options;
    const certificates = new CertificateController({ cluster, clock, events: this.#events, domain, issuers });
    const apiService = new ApiServiceController(cluster, this.#options.apiServer);
    const room = new NodeRoom(cluster);
    const times = new BindTimes(this.#metrics, clock);
    const pod = new PodController({ cluster, clock, events: this.#events, room, times });
    const revision = new RevisionController({
      cluster,
      clock,
      random,
      events: this.#events,
      scale: this.#autoscaler,
      resolutions: this.#resolutions,
      room,
      times,
      nodeState: (node) => this.#nodes.stateOf(node),
    });
    const durations = reconcileDurations(this.#metrics);
    const queue = (name: string, reconcile: (key: string) => Promise<number | undefined>): WorkQueue =>
      new WorkQueue({ name, clock, log, concurrency, reconcile, durations });
    const named = (
      name: string,
      reconcile: (namespace: string, name: string) => Promise<number | undefined>,
    ): WorkQueue =>
      queue(name, async (key) => {
        const slash = key.indexOf("/");
        const space = cluster.of("namespaces").get(undefined, key.slice(0, slash));
        // Nothing can be made in a namespace that is on its way out, and everything in it goes.
        if (space?.metadata.deletionTimestamp !== undefined) return undefined;
        return reconcile(key.slice(0, slash), key.slice(slash + 1));
      });
    return {
      service: named("service", (space, name) => service.reconcile(space, name)),
      configuration: named("configuration", (space, name) => configuration.reconcile(space, name)),
      revision: named("revision", (space, name) => revision.reconcile(space, name)),
      pod: named("pod", (space, name) => pod.reconcile(space, name)),
      route: named("route", (space, name) => route.reconcile(space, name)),
      routingState: named("routing state", (space, name) => route.label(space, name)),
      namespace: queue("namespace", (key) => namespace.reconcile(key)),
      garbage: queue("garbage", (key) => this.#garbage.reconcile(key)),
      apiService: queue("API service", () => apiService.reconcile()),
      routing: queue("routing", (key) => this.#routing.reconcile(key)),
      certificates: new WorkQueue({
        name: "certificates",
        clock,
        log,
        concurrency: 1,
        durations,
        reconcile: (_key, signal) => certificates.reconcile(signal),
      }),
    };
  }

  /** Says who has to look, and does nothing else: it is called in the middle of others' work. */
  #changed(kind: WatchedKind, change: Change<ApiObject>): void {
    const { before, after } = change;
    const object = after ?? before;
    if (object === undefined) return;
    const key = keyOf(object);
    const namespace = object.metadata.namespace ?? "";
    for (const dueKey of this.#garbage.keysAfter(kind, change)) this.#queues.garbage.add(dueKey);
    for (const dueKey of this.#routing.keysAfter(kind, change)) this.#queues.routing.add(dueKey);
    if (CertificateController.concerns(kind)) this.#queues.certificates.add(theOne);
    if (ApiServiceController.concerns(kind, object)) this.#queues.apiService.add(theOne);
    switch (kind) {
      case "namespaces":
        this.#queues.namespace.add(key);
        break;
      case "nodes":
        this.#nodeChanged(object.metadata.name);
        break;
      case "services":
        this.#queues.service.add(key);
        break;
      case "configurations":
        this.#queues.configuration.add(key);
        this.#queues.service.add(key);
        this.#addRoutes(namespace, { configuration: object.metadata.name });
        break;
      case "routes":
        this.#queues.route.add(key);
        this.#queues.service.add(key);
        this.#addRevisionsOf(namespace, [before, after]);
        break;
      case "revisions":
        this.#revisionChanged(key, object, after === undefined);
        break;
      case "pods": {
        const revision = object.metadata.labels?.[label.revision];
        if (revision !== undefined) this.#queues.revision.add(keyAt(namespace, revision));
        else this.#queues.pod.add(key);
        break;
      }
      case "secrets":
      case "coreServices":
      case "endpointSlices":
      case "ingressClasses":
      case "ingresses":
      case "gatewayClasses":
      case "gateways":
      case "referenceGrants":
      case "httpRoutes":
      case "domainMappings":
      case "trafficPolicies":
        // Their statuses are all that has to be done.
        break;
      case "imagePolicies":
        // What one has refused another may let in.
        this.#resolutions.reconsider();
        this.#addAllRevisions();
        break;
      default:
        kind satisfies never;
    }
  }

  #revisionChanged(key: string, { metadata }: ApiObject, isGone: boolean): void {
    const namespace = metadata.namespace ?? "";
    const configuration = metadata.labels?.[label.configuration];
    this.#queues.revision.add(key);
    this.#queues.routingState.add(key);
    if (configuration !== undefined) this.#queues.configuration.add(keyAt(namespace, configuration));
    this.#addRoutes(namespace, { revision: metadata.name, ...(configuration === undefined ? {} : { configuration }) });
    if (!isGone) return;
    this.#autoscaler.forget(key);
    this.#outcomes.forget(key);
    this.#resolutions.forget(metadata.uid);
  }

  #addRoutes(namespace: string, named: { readonly revision?: string; readonly configuration?: string }): void {
    for (const route of this.#cluster.of("routes").indexed("namespace", namespace)) {
      const isNamed = [...route.spec.traffic, ...(route.status?.traffic ?? [])].some(
        ({ revisionName, configurationName }) =>
          (revisionName !== undefined && revisionName === named.revision) ||
          (configurationName !== undefined && configurationName === named.configuration),
      );
      if (isNamed) this.#queues.route.add(keyOf(route));
    }
  }

  #addRevisionsOf(namespace: string, routes: readonly (ApiObject | undefined)[]): void {
    for (const route of routes) {
      const { spec, status } = (route as Route | undefined) ?? {};
      for (const { revisionName } of [...(spec?.traffic ?? []), ...(status?.traffic ?? [])]) {
        if (revisionName !== undefined) this.#queues.routingState.add(keyAt(namespace, revisionName));
      }
    }
  }

  #nodeChanged(name: string): void {
    const node = this.#cluster.of("nodes").get(undefined, name);
    // A heartbeat is no reason to place anything anew.
    const facts = node === undefined ? "" : JSON.stringify(nodeView(node, nothingTaken));
    const isSame = this.#nodeFacts.get(name) === facts;
    if (node === undefined) this.#nodeFacts.delete(name);
    else {
      this.#nodeFacts.set(name, facts);
      this.#nodes.learn(node);
    }
    if (!isSame) this.#addAllRevisions();
  }

  #addAllRevisions(): void {
    for (const revision of this.#cluster.of("revisions").items()) this.#queues.revision.add(keyOf(revision));
  }

  #lookAtNodes(): Promise<void> {
    this.#looking ??= this.#nodes
      .look()
      .catch((error: unknown) => {
        if (!this.#watching.signal.aborted)
          this.#options.log.warn("nodes could not be looked after", { error: String(error) });
      })
      .finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  #resync(): void {
    const add = (queue: QueueName, objects: Iterable<ApiObject>): void => {
      for (const object of objects) this.#queues[queue].add(keyOf(object));
    };
    add("service", this.#cluster.of("services").items());
    add("configuration", this.#cluster.of("configurations").items());
    add("route", this.#cluster.of("routes").items());
    add("revision", this.#cluster.of("revisions").items());
    add("pod", this.#cluster.of("pods").items());
    this.#queues.apiService.add(theOne);
    add("namespace", this.#cluster.of("namespaces").items());
  }
}

/** The revision that the service of another one runs now. */
function runningBeside(cluster: Cluster, { metadata }: Revision): Revision | undefined {
  const configuration = cluster
    .of("configurations")
    .get(metadata.namespace, metadata.labels?.[label.configuration] ?? "");
  const name = configuration?.status?.latestReadyRevisionName;
  if (name === undefined || name === metadata.name) return undefined;
  return cluster.of("revisions").get(metadata.namespace, name);
}

type QueueName =
  | "service"
  | "configuration"
  | "revision"
  | "pod"
  | "route"
  | "routingState"
  | "namespace"
  | "garbage"
  | "apiService"
  | "routing"
  | "certificates";
