import { label, parseAutoscalingSettings, type Revision, type RevisionScaling } from "@shallop/sdk/api";
import { type EventRecorder, referenceTo } from "@shallop/sdk/client";
import type { Clock, Log, Timer } from "@shallop/sdk/internal";
import type { LoadReport, ScaleDecision, WhatIf } from "@shallop/sdk/wire";
import type { Activity } from "../../autoscale/activity.ts";
import type { AutoscalerConfig } from "../../autoscale/config.ts";
import type { IdleBook } from "../../autoscale/idle-book.ts";
import { IdleTimes } from "../../autoscale/idle-times.ts";
import { replay } from "../../autoscale/replay.ts";
import { type Moment, type PodCounts, RevisionScaler } from "../../autoscale/revision-scaler.ts";
import { parseSpec, scalingOf } from "../../autoscale/spec.ts";
import { keyAt, keyOf } from "../shared/mirror.ts";
import { LoadBook } from "./load-book.ts";
import type { UsageBook } from "./usage-book.ts";

export interface AutoscalerOptions {
  readonly config: AutoscalerConfig;
  readonly clock: Clock;
  readonly log: Log;
  readonly events: EventRecorder;
  /** What is known of idle times; the autoscaler adds to it. */
  readonly idleTimes: IdleBook;
  /** What the pods of revisions use that scale by it. */
  readonly usage: Pick<UsageBook, "of" | "refresh">;
  /** The revision wants another number of pods, or is active in another way: look at it. */
  readonly onChange: (key: string) => void;
}

/** knative/serving: the autoscaler samples each second and decides each two. */
const sampleMs = 1_000;
const samplesPerDecision = 2;
/** kube-controller-manager looks each 15 s; metrics that are asked of the nodes themselves may be newer. */
const samplesPerUsage = 5;

const silence = { concurrency: 0, rps: 0, queue: 0 };

interface Scaled {
  revision: Revision;
  readonly scaler: RevisionScaler;
  /** Pods that people were told of last, by an event. */
  announced: number;
  counts: PodCounts;
  /** What whoever asks was told last. */
  told: { readonly want: number; readonly phase: Activity["phase"] };
}

/** The loop around the scalers of all revisions: load in, wanted counts out. */
export class Autoscaler implements Disposable {
  readonly #options: AutoscalerOptions;
  readonly #book = new LoadBook();
  readonly #scaled = new Map<string, Scaled>();
  #ticker: Timer | undefined;
  #samples = 0;

  constructor(options: AutoscalerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#ticker ??= this.#options.clock.every(sampleMs, () => {
      try {
        this.#tick();
      } catch (error) {
        this.#options.log.error("autoscaler: a tick failed; the next one comes", error);
      }
    });
  }

  [Symbol.dispose](): void {
    this.#ticker?.cancel();
    this.#ticker = undefined;
  }

  /** Takes what a gateway says. Requests that wait for a revision without a ready pod are decided on at once. */
  report(report: LoadReport): void {
    const nowMs = this.#options.clock.nowMs();
    for (const key of this.#book.report(report, nowMs)) {
      const scaled = this.#scaled.get(key);
      if (scaled === undefined || scaled.counts.ready > 0) continue;
      scaled.scaler.record(this.#moment(), this.#book.now(key, nowMs));
      this.#decide(key, scaled);
    }
  }

  /** How many pods `revision` shall have now, given the pods that it has. */
  wanted(
    revision: Revision,
    counts: PodCounts,
  ): {
    readonly want: number;
    readonly initialScale: number;
    readonly scaling: RevisionScaling;
    readonly activity: Activity["phase"];
  } {
    const key = keyOf(revision);
    const { clock, config, idleTimes } = this.#options;
    let scaled = this.#scaled.get(key);
    if (scaled === undefined || scaled.revision.metadata.uid !== revision.metadata.uid) {
      const spec = parseSpec(revision.metadata.annotations ?? {}, revision.spec.containerConcurrency ?? 0, config);
      const idle = idleTimes.of(configurationKey(revision));
      const scaler = new RevisionScaler(spec, counts, { nowMs: clock.nowMs(), idle });
      const told = { want: scaler.want, phase: scaler.activity.phase };
      scaled = { revision, scaler, announced: scaler.want, counts, told };
      this.#scaled.set(key, scaled);
    }
    const { scaler } = scaled;
    const isUp = scaled.counts.ready === 0 && counts.ready > 0;
    scaled.counts = counts;
    scaled.revision = revision;
    // A pod that a request brought up must not be seen as one too many until the next tick.
    const isNews = isUp || scaler.isNews(counts);
    const isFirst = scaler.decisions.length === 0;
    if (isNews || isFirst) this.#decide(key, scaled, { isAsked: true });
    const { spec, want, activity } = scaler;
    return { want, initialScale: spec.initialScale, scaling: scalingOf(spec), activity: activity.phase };
  }

  /** How it stands with each revision, and the numbers that its last decision was made from. */
  now(): readonly (Pick<ScaleDecision, "inputs"> & {
    readonly namespace: string;
    readonly revision: string;
    readonly want: number;
    readonly ready: number;
  })[] {
    return [...this.#scaled.values()].map(({ revision: { metadata }, scaler, counts }) => ({
      namespace: metadata.namespace ?? "",
      revision: metadata.name,
      want: scaler.want,
      ready: counts.ready,
      inputs: scaler.decisions.at(-1)?.inputs ?? {},
    }));
  }

  /** Decisions about a revision, the newest last. */
  decisions(key: string): readonly ScaleDecision[] {
    return this.#scaled.get(key)?.scaler.decisions ?? [];
  }

  /**
   * What the last hour would have been with other settings; undefined: the revision is not known.
   * @throws ApiFault BadRequest
   */
  whatIf(key: string, settings: string): WhatIf | undefined {
    const { config, idleTimes } = this.#options;
    const annotations = parseAutoscalingSettings(settings, config);
    const scaled = this.#scaled.get(key);
    if (scaled === undefined) return undefined;
    const { revision, scaler, counts } = scaled;
    const { nowMs, wallMs } = this.#moment();
    const samples = scaler.recorded(nowMs);
    const own = revision.metadata.annotations ?? {};
    const specs = [own, { ...own, ...annotations }].map((given) =>
      parseSpec(given, revision.spec.containerConcurrency ?? 0, config),
    );
    const [before, after] = specs.map((spec) =>
      replay(spec, {
        samples,
        startWallMs: wallMs - samples.length * sampleMs,
        idle: IdleTimes.of(idleTimes.of(configurationKey(revision)).toJSON()),
        native: counts.native,
      }),
    );
    return before === undefined || after === undefined ? undefined : { settings, before, after };
  }

  /** The revision is gone. */
  forget(key: string): void {
    this.#scaled.delete(key);
  }

  #moment(): Moment {
    const { clock } = this.#options;
    return { nowMs: clock.nowMs(), wallMs: clock.wallMs() };
  }

  #tick(): void {
    const moment = this.#moment();
    const loads = this.#book.sample(moment.nowMs);
    if (this.#samples % samplesPerUsage === 0) this.#askUsage();
    const isDecision = ++this.#samples % samplesPerDecision === 0;
    for (const [key, scaled] of this.#scaled) {
      const load = loads.get(key);
      // Silence of a revision that has or wants pods is a load of nothing; of one at zero it is nothing at all.
      if (load !== undefined || scaled.counts.ready > 0 || scaled.scaler.want > 0) {
        const usage = scaled.scaler.needsUsage ? this.#options.usage.of(key) : undefined;
        scaled.scaler.record(moment, { ...(load ?? silence), ...usage });
      }
      if (isDecision) this.#decide(key, scaled);
    }
  }

  #askUsage(): void {
    const asked = [...this.#scaled.values()].filter(({ scaler, counts }) => scaler.needsUsage && counts.ready > 0);
    if (asked.length > 0) void this.#options.usage.refresh(asked.map(({ revision }) => revision));
  }

  #decide(key: string, scaled: Scaled, { isAsked = false } = {}): void {
    const { events, onChange } = this.#options;
    const { scaler, revision, counts, announced } = scaled;
    const decision = scaler.decide(this.#moment(), counts);
    // Pods of an image that nobody has found yet are wanted in vain: people are told once they can come.
    if (decision.want !== announced && isResolved(revision)) {
      scaled.announced = decision.want;
      const reason = decision.want > announced ? "ScaledUp" : "ScaledDown";
      const bound = decision.bound === undefined ? "" : `; ${decision.bound}`;
      const message = `from ${String(announced)} to ${String(decision.want)} pods: ${decision.formula}${bound}`;
      events.event(referenceTo(revision), "Normal", reason, message);
    }
    const { phase } = scaler.activity;
    const isChanged = decision.want !== scaled.told.want || phase !== scaled.told.phase;
    scaled.told = { want: decision.want, phase };
    if (isChanged && !isAsked) onChange(key);
  }
}

/** The image is known by its digest. */
const isResolved = ({ status }: Revision): boolean => (status?.containerStatuses ?? []).length > 0;

/** Revisions of one configuration are called as the function is: what one has shown holds for the next. */
const configurationKey = ({ metadata }: Revision): string =>
  keyAt(metadata.namespace, metadata.labels?.[label.configuration] ?? metadata.name);
