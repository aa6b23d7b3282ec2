import { type CoreService, annotation, label, type Pod, pods, type Revision } from "@shallop/sdk/api";
import type { ApiClient } from "@shallop/sdk/client";
import { type Clock, describeError, type Log, type Random, type Timer } from "@shallop/sdk/internal";
import type { Activation } from "@shallop/sdk/wire";
import { Activator } from "./activation.ts";
import { HomeJobs } from "./home-jobs.ts";
import { HomeRevisions, revisionKey } from "./home-revisions.ts";
import type { ImageSource, PreparedImage } from "./image-source.ts";
import type { LocalPod } from "./local-pod.ts";
import { givenTo } from "./given-objects.ts";
import { graceMsOf, limitsOf, manifestOf } from "./manifest.ts";
import { NodePods, type NodeRoom, pastOf, runsOnce } from "./node-pods.ts";
import { type Report, worldOf } from "./node-world.ts";
import { type EventSink, Notes } from "./notes.ts";
import { type Action, planNode, type World } from "./plan.ts";
import type { PodRecord, PodRecords } from "./pod-record.ts";
import { isFault, Reporter } from "./report.ts";
import type { LogStore } from "../pod/log-store.ts";
import { Standbys } from "./standbys.ts";
import { WantedImages } from "./wanted-images.ts";
import { Work } from "./work.ts";

/** A kept copy of what the API has of a kind; an informer's read side. */
export interface ObjectCache<T> {
  /** A first list has come. */
  readonly synced: boolean;
  list(): readonly T[];
}

export interface NodeAgentSettings {
  readonly node: string;
  readonly hostIp: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly client: ApiClient;
  readonly pods: ObjectCache<Pod>;
  readonly revisions: ObjectCache<Revision>;
  readonly events: EventSink;
  readonly images: ImageSource;
  readonly logs: LogStore;
  readonly records: PodRecords;
  readonly homesDirectory: string;
  /** See `standbyDirectoryName`. */
  readonly standbyDirectory: string;
  readonly room: NodeRoom;
  /** An activated pod is recorded with the API this much later: see `recordDelayMs` in node.ts. */
  readonly recordDelayMs: number;
}

/** Looks at everything this often even if nothing seems to have changed: what was missed is found then. */
const resyncMs = 10_000;
/** An API that does not answer for this long is as good as away. */
const apiTimeoutMs = 10_000;
/** Logs of ended pods that are over their bounds are removed this often. */
const sweepMs = 60_000;
/** Files of volumes follow their objects within this; the kubelet takes a minute. */
const refreshMs = 20_000;
/** The node's loop: looks at what the API asks and what is here, plans, and sees to it that the plan is carried out. */
export class NodeAgent {
  readonly pods: NodePods;
  readonly homes: HomeRevisions;
  readonly activator: Activator;
  /** Who else is told that a pod of this node is in another state than before. */
  podChanged: ((pod: LocalPod) => void) | undefined;
  /** Those of the cluster, of which pods are told. */
  services: ObjectCache<CoreService> = { synced: false, list: () => [] };
  readonly #settings: NodeAgentSettings;
  readonly #reporter: Reporter;
  readonly #work: Work;
  readonly #notes: Notes;
  readonly #homeJobs: HomeJobs;
  readonly #wantedImages: WantedImages;
  readonly #standbys: Standbys;
  readonly #restingSinceMs = new WeakMap<LocalPod, number>();
  readonly #reports = new WeakMap<LocalPod, Report>();
  readonly #stopping = new AbortController();
  readonly #timers: Timer[] = [];
  #started = false;
  #looking = false;

  constructor(settings: NodeAgentSettings) {
    const { clock, log, images, node, random } = settings;
    this.#settings = settings;
    this.#reporter = new Reporter(settings);
    this.#work = new Work(clock, log, () => this.wake());
    this.#notes = new Notes(settings.events);
    this.homes = new HomeRevisions(settings.homesDirectory, images, log);
    this.#homeJobs = new HomeJobs({
      node,
      homes: this.homes,
      work: this.#work,
      notes: this.#notes,
      reporter: this.#reporter,
      apiSignal: () => this.#apiSignal(),
      stopping: this.#stopping.signal,
    });
    this.pods = new NodePods({
      ...settings,
      place: { node, hostIp: settings.hostIp },
      given: async (manifest, signal) => ({
        ...(await givenTo(manifest, settings.client, signal)),
        services: this.services.list(),
      }),
      woken: (running) => this.#standbys.woken(running),
      standbyLost: (uid) => this.#standbys.lost(uid),
      changed: (pod) => this.#changed(pod),
      note: (pod, note) => this.#notes.ofPod(pod, note),
      fellBack: (pod, prepared) => this.#fellBack(pod, prepared),
    });
    this.#wantedImages = new WantedImages({ images, work: this.#work, homes: this.homes, pods: this.pods });
    this.#standbys = new Standbys({
      ...settings,
      pods: this.pods,
      homes: this.homes,
      work: this.#work,
      directory: settings.standbyDirectory,
      stopping: this.#stopping.signal,
      woken: (pod) => this.#woken(pod),
    });
    this.activator = new Activator({
      node,
      clock,
      random,
      pods: this.pods,
      homes: this.homes,
      activated: (pod, activation) => this.#activated(pod, activation),
      failed: (home, message) =>
        this.#notes.ofRevision(home.revision, { type: "Warning", reason: "ActivationFailed", message }),
    });
  }

  /** Takes over what runs, and begins to look. The runtimes have been added. Needs no control plane. */
  async start(): Promise<void> {
    const adopted = await this.pods.adopt();
    await this.homes.load();
    await this.#standbys.open();
    for (const pod of this.pods.all) this.#reportOf(pod).seen = pod.record.apiUid !== undefined;
    for (const home of this.homes.all) this.#homeJobs.prepare(home.key, home.revision);
    if (adopted > 0) this.#settings.log.info("took over running pods", { count: adopted });
    this.#started = true;
    const { clock, logs } = this.#settings;
    this.#timers.push(
      clock.every(resyncMs, () => this.wake()),
      clock.every(sweepMs, () => this.#work.offer("sweep", () => logs.sweep())),
      clock.every(refreshMs, () => this.#refreshVolumes()),
    );
    this.wake();
  }

  /** Something may have changed. Looks soon, once for however many calls. */
  wake(): void {
    // Before it is known what runs here, everything would seem to be missing.
    if (!this.#started || this.#looking || this.#stopping.signal.aborted) return;
    this.#looking = true;
    queueMicrotask(() => {
      this.#looking = false;
      if (!this.#stopping.signal.aborted) this.#look();
    });
  }

  /** Somebody waits for a pod that is being activated: until it has answered, there is nothing to be done about it here. */
  #changed(pod: LocalPod): void {
    this.podChanged?.(pod);
    if (pod.unproven) return;
    const isNew = pod.record.origin === "activation" && pod.record.apiUid === undefined && pod.state.phase === "ready";
    if (!isNew || this.#isRested(pod)) this.wake();
  }

  /** Stops looking. With `keepPods` they run on, for the next agent on this data directory. */
  async stop(options: { readonly keepPods: boolean; readonly graceMsMax: number }): Promise<void> {
    this.activator.close();
    for (const timer of this.#timers) timer.cancel();
    this.#stopping.abort(new Error("the node agent is stopping"));
    await this.#work.close();
    const withdrawn = this.#standbys.close();
    if (!options.keepPods) await this.pods.stopAll(options.graceMsMax, (pod) => graceMsOf(pod.manifest.spec));
    await withdrawn;
    await this.#settings.records.flush();
  }

  #look(): void {
    try {
      this.#resolveStrays();
      for (const action of planNode(this.#world())) this.#execute(action);
      this.#standbys.look();
      // Before the first list it is not known what is wanted.
      if (this.#settings.revisions.synced && this.#settings.pods.synced) this.#wantedImages.tell();
    } catch (error) {
      this.#settings.log.error("the node's loop failed; it goes on", error);
    }
  }

  /** What runs here without a record: the API may know it, and if not, nobody does. */
  #resolveStrays(): void {
    const { pods: cache } = this.#settings;
    if (!cache.synced) return;
    for (const running of this.pods.takeStrays()) {
      const pod = cache.list().find(({ metadata }) => metadata.uid === running.uid);
      if (pod === undefined) this.#work.offer(`stray ${running.uid}`, () => this.pods.removeStray(running));
      else this.#take(pod).adopt(running);
    }
  }

  #world(): World {
    const { pods: podCache, revisions: revisionCache, clock, node } = this.#settings;
    return worldOf({
      node,
      nowMs: clock.nowMs(),
      pods: podCache.synced ? podCache.list() : undefined,
      revisions: revisionCache.synced ? revisionCache.list() : undefined,
      local: this.#provenPods(),
      reportOf: (pod) => this.#reportOf(pod),
      homes: this.homes.all,
    });
  }

  /** One that is still being activated is no pod yet: if it fails, only who asked hears of it. */
  #provenPods(): readonly LocalPod[] {
    return this.pods.all.filter((pod) => !pod.unproven);
  }

  #execute(action: Action): void {
    const local = this.pods.get(action.key);
    switch (action.kind) {
      case "start":
        this.#begin(action.pod);
        break;
      case "stop":
        local?.stop(action.graceMs);
        break;
      case "claim":
        if (local !== undefined) void this.#claim(local, action.apiUid);
        break;
      case "record":
        if (local !== undefined && this.#isRested(local)) {
          this.#work.offer(`record ${action.key}`, () => this.#record(local));
        }
        break;
      case "yield":
        local?.stop(graceMsOf(local.manifest.spec));
        break;
      case "adjust":
        if (local !== undefined) this.#work.offer(`adjust ${action.key}`, () => local.adjust(manifestOf(action.pod)));
        break;
      case "report":
        if (local !== undefined) this.#offerReport(local, action.pod);
        break;
      case "finalize":
        this.#work.offer(`finalize ${action.key}`, async () => {
          await this.#reporter.finalize(action.pod, this.#apiSignal());
        });
        break;
      case "verify":
        if (local === undefined) break;
        this.#work.offer(`verify ${action.key}`, async () => {
          this.#reportOf(local).seen = !(await this.#reporter.exists(local, this.#apiSignal()));
          this.#reportOf(local).knownSinceMs = this.#settings.clock.nowMs();
        });
        break;
      case "forget":
        if (local !== undefined) this.#forget(local);
        break;
      case "prepare":
        this.#homeJobs.prepare(action.key, action.revision);
        break;
      case "report-home":
        this.#homeJobs.report(action.key, action.revision);
        break;
      case "leave-home":
        this.#homeJobs.leave(action.key);
        break;
      default:
        action satisfies never;
    }
  }

  #refreshVolumes(): void {
    const { pods: cache } = this.#settings;
    const following = this.pods.all.filter((pod) => pod.followsObjects);
    if (!cache.synced || following.length === 0) return;
    const objects = new Map(cache.list().map((pod) => [pod.metadata.uid, pod]));
    for (const local of following) {
      const seen = objects.get(local.record.apiUid ?? local.uid);
      if (seen === undefined) continue;
      this.#work.offer(`volumes ${local.key}`, () => local.refreshVolumes(manifestOf(seen), this.#apiSignal()));
    }
  }

  #apiSignal(): AbortSignal {
    return AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(apiTimeoutMs)]);
  }

  /** One that has run, is not here, and is to run once, is over: what it did is not done twice. */
  #begin(pod: Pod): void {
    const local = this.#take(pod);
    if (runsOnce(pod) && pastOf(pod, this.#settings.clock.wallMs()) !== undefined) local.dispatch({ kind: "lost" });
    else local.begin();
  }

  /** A pod of the API becomes one of this node's. */
  #take(pod: Pod): LocalPod {
    const { clock, revisions: cache } = this.#settings;
    const manifest = manifestOf(pod);
    const owner = manifest.labels["serving.knative.dev/revision"];
    const revision = cache
      .list()
      .find(({ metadata }) => metadata.name === owner && metadata.namespace === manifest.namespace);
    const record: PodRecord = {
      uid: pod.metadata.uid,
      apiUid: pod.metadata.uid,
      origin: "bound",
      manifest,
      limits: limitsOf(manifest, revision),
      acceptedWallMs: clock.wallMs(),
    };
    const local = this.pods.add(record, pastOf(pod, clock.wallMs()));
    this.#reportOf(local).seen = true;
    return local;
  }

  #activated(pod: LocalPod, activation: Activation): void {
    const { prepare, start } = activation.phasesMs;
    this.#notes.ofPod(pod, {
      type: "Normal",
      reason: "Activated",
      message: `activated on node ${this.#settings.node} for a waiting request: prepare ${prepare.toFixed(1)} ms, start ${start.toFixed(1)} ms`,
    });
  }

  #woken(pod: LocalPod): void {
    const message = `came up on node ${this.#settings.node} for a request: it stood by, with its component parked`;
    this.#notes.ofPod(pod, { type: "Normal", reason: "Activated", message });
  }

  /** The image policies have changed. */
  async policiesChanged(): Promise<void> {
    await this.#standbys.reconsider();
    this.wake();
  }

  /** The next pods of the revision begin with what this one ended with. */
  #fellBack(pod: LocalPod, prepared: PreparedImage): void {
    const { namespace, labels } = pod.manifest;
    const home = this.homes.fellBack(revisionKey(namespace, labels[label.revision] ?? ""), prepared);
    if (home === undefined) return;
    const message = `node ${this.#settings.node} runs the ${prepared.image.variant} variant from now on: ${prepared.reason}`;
    this.#notes.ofRevision(home.revision, { type: "Warning", reason: "VariantFellBack", message });
    this.wake();
  }

  /** Whether the request that a pod was activated for has had the processor to itself long enough. */
  #isRested(local: LocalPod): boolean {
    const { clock, recordDelayMs } = this.#settings;
    if (recordDelayMs === 0) return true;
    const sinceMs = this.#restingSinceMs.get(local);
    if (sinceMs !== undefined) return clock.nowMs() - sinceMs >= recordDelayMs;
    this.#restingSinceMs.set(local, clock.nowMs());
    clock.after(recordDelayMs, () => this.wake());
    return false;
  }

  async #record(local: LocalPod): Promise<void> {
    const signal = this.#apiSignal();
    try {
      const created = await this.#reporter.create(local, signal);
      await this.#claim(local, created.metadata.uid);
      const report = this.#reportOf(local);
      const { version } = local;
      const reported = await this.#reporter.status(local, created, signal);
      report.version = version;
      report.resourceVersion = Number(reported.metadata.resourceVersion);
    } catch (error) {
      // Its namespace or revision is gone, or it may not be: nobody will ever ask for this pod.
      if (isFault(error, "NotFound", "Forbidden", "Invalid") && local.record.apiUid === undefined) {
        this.#settings.log.warn("an activated pod is refused by the API and stopped", {
          pod: local.key,
          error: describeError(error),
        });
        local.stop(graceMsOf(local.manifest.spec));
        return;
      }
      if (!isFault(error, "AlreadyExists")) throw error;
      await this.#claimExisting(local, signal);
    }
  }

  /** The name is taken: by our own earlier try whose answer was lost, or by another pod. */
  async #claimExisting(local: LocalPod, signal: AbortSignal): Promise<void> {
    const { namespace, name, annotations } = local.manifest;
    const found = await this.#settings.client.get(pods, namespace, name, signal);
    const ours = found.metadata.annotations?.[annotation.activatedAt] === annotations[annotation.activatedAt];
    if (ours) await this.#claim(local, found.metadata.uid);
    else local.stop(graceMsOf(local.manifest.spec));
  }

  async #claim(local: LocalPod, apiUid: string): Promise<void> {
    this.#reportOf(local).knownSinceMs = this.#settings.clock.nowMs();
    const claimed = local.claim(apiUid);
    this.#notes.release(local);
    await claimed;
    this.wake();
  }

  #offerReport(local: LocalPod, known: Pod): void {
    this.#reportOf(local).seen = true;
    this.#work.offer(`report ${local.key}`, async () => {
      const { version } = local;
      try {
        const written = await this.#reporter.status(local, known, this.#apiSignal());
        const report = this.#reportOf(local);
        report.version = version;
        report.resourceVersion = Number(written.metadata.resourceVersion);
      } catch (error) {
        // Deleted meanwhile: the list will say so.
        if (!isFault(error, "NotFound")) throw error;
      }
    });
  }

  #forget(local: LocalPod): void {
    this.pods.forget(local);
    this.wake();
  }

  #reportOf(local: LocalPod): Report {
    let report = this.#reports.get(local);
    if (report === undefined) {
      report = { version: -1, resourceVersion: 0, seen: false, knownSinceMs: this.#settings.clock.nowMs() };
      this.#reports.set(local, report);
    }
    return report;
  }
}
