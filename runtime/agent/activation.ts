import { type Clock, describeError, Fault, type Random, SingleFlight } from "@shallop/sdk/internal";
import type { Revision } from "@shallop/sdk/api";
import type { ActivateFaultCode, ActivateRequest, Activation } from "@shallop/sdk/wire";
import { crashBackoffMs } from "../pod/crash-backoff.ts";
import { PodFault, type PodLimits } from "../pod/pod-runtime.ts";
import { holdsRoom } from "../pod/pod-state.ts";
import { type HomeRevision, type HomeRevisions, revisionKey } from "./home-revisions.ts";
import type { PreparedImage } from "./image-source.ts";
import type { LocalPod } from "./local-pod.ts";
import { activationManifest, limitsOf, memoryRequestBytes, type PodManifest } from "./manifest.ts";
import type { NodePods } from "./node-pods.ts";

export class ActivateFault extends Fault<ActivateFaultCode> {}

export interface ActivatorSettings {
  readonly node: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly pods: NodePods;
  readonly homes: HomeRevisions;
  /** A pod was started for a revision: tell it to the API and to people, when there is time. */
  activated(pod: LocalPod, activation: Activation): void;
  /** No pod came of it. */
  failed(home: HomeRevision, message: string): void;
}

/** After this long without a failed start, a revision is as good as new. */
const failuresForgottenMs = 600_000;
/** Revisions whose failures are remembered; the oldest are forgotten first, which costs one early try each. */
const failuresMax = 1000;

interface Failures {
  readonly count: number;
  readonly atMs: number;
  readonly message: string;
}

/**
 * Brings up a pod of a revision for a gateway that has a request and no pod. Waits for nothing but the pod itself: no
 * control plane, no registry, no disk.
 */
export class Activator {
  readonly #settings: ActivatorSettings;
  readonly #flights = new SingleFlight<string, Activation>();
  readonly #failuresByKey = new Map<string, Failures>();
  readonly #limits = new WeakMap<Revision, PodLimits>();
  #closed = false;

  constructor(settings: ActivatorSettings) {
    this.#settings = settings;
  }

  /**
   * A pod of the revision that can answer, beside those that are named: one that is there, or a new one. However many ask,
   * one is started.
   * @throws ActivateFault
   */
  activate(request: ActivateRequest): Promise<Activation> {
    const key = revisionKey(request.namespace, request.revision);
    const ready = this.#there(request);
    if (ready !== undefined) return Promise.resolve(ready);
    if (this.#closed) {
      return Promise.reject(new ActivateFault("NOT_PREPARED", `node ${this.#settings.node} is stopping`));
    }
    if (request.beside === undefined) return this.#flights.run(key, () => this.#activate(request, key));
    return this.#flights.run(`${key} beside others`, async () => {
      const refusal = this.#growthRefusal(request, key);
      if (refusal !== undefined) throw new ActivateFault("NO_CAPACITY", refusal);
      return this.#activate(request, key);
    });
  }

  /** Why there shall be no further pod here; undefined: there may be. Native ones are the control plane's to add. */
  #growthRefusal({ namespace, revision }: ActivateRequest, key: string): string | undefined {
    const home = this.#settings.homes.get(key);
    if (home?.preparation.phase === "prepared" && home.preparation.prepared.image.variant !== "wasm")
      return `revision ${key} runs natively on node ${this.#settings.node}`;
    const max = home?.revision.status?.scaling?.maxScale ?? 0;
    const count = this.#settings.pods.ofRevision(namespace, revision).filter(({ state }) => holdsRoom(state)).length;
    return max > 0 && count >= max ? `revision ${key} has ${String(count)} pods here, its max-scale` : undefined;
  }

  /** Starts no more pods. */
  close(): void {
    this.#closed = true;
  }

  #there({ namespace, revision, beside = [] }: ActivateRequest): Activation | undefined {
    for (const pod of this.#settings.pods.ofRevision(namespace, revision)) {
      if (beside.includes(pod.manifest.name)) continue;
      const activation = activationOf(pod, 0);
      if (activation !== undefined) return { ...activation, started: false };
    }
    return undefined;
  }

  async #activate(request: ActivateRequest, key: string): Promise<Activation> {
    const { pods, clock } = this.#settings;
    const home = this.#settings.homes.get(key);
    const prepared = preparedOf(home, key, this.#settings.node);
    this.#refuseCrashLoop(key);
    const manifest = activationManifest(prepared.home.revision, {
      node: this.#settings.node,
      suffix: this.#settings.random.suffix(5),
      wallMs: clock.wallMs(),
    });
    const refusal = pods.roomRefusal(memoryRequestBytes(manifest.spec));
    if (refusal !== undefined) throw new ActivateFault("NO_CAPACITY", `cannot activate ${key}: ${refusal}`);
    const startedMs = clock.nowMs();
    const pod = pods.add({
      uid: this.#settings.random.uuid(),
      origin: "activation",
      manifest,
      limits: this.#limitsOf(manifest, prepared.home.revision),
      acceptedWallMs: clock.wallMs(),
    });
    try {
      await pod.activate(prepared.image);
    } catch (error) {
      throw this.#failed({ key, home: prepared.home, pod }, error);
    }
    this.#failuresByKey.delete(key);
    const activation = activationOf(pod, clock.nowMs() - startedMs);
    if (activation === undefined) {
      throw new ActivateFault("START_FAILED", `pod ${pod.key} ended as soon as it was ready`);
    }
    this.#settings.activated(pod, activation);
    return activation;
  }

  /** The same for all pods of a revision. */
  #limitsOf(manifest: PodManifest, revision: Revision): PodLimits {
    const known = this.#limits.get(revision);
    if (known !== undefined) return known;
    const limits = limitsOf(manifest, revision);
    this.#limits.set(revision, limits);
    return limits;
  }

  #failed(
    attempt: { readonly key: string; readonly home: HomeRevision; readonly pod: LocalPod },
    error: unknown,
  ): ActivateFault {
    const { key, home, pod } = attempt;
    pod.stop(0);
    this.#settings.pods.forget(pod);
    const message = `cannot activate ${key}: ${describeError(error)}`;
    const code = activateCode(error);
    if (code === "START_FAILED") {
      const nowMs = this.#settings.clock.nowMs();
      const count = (this.#recent(key, nowMs)?.count ?? 0) + 1;
      this.#failuresByKey.delete(key);
      this.#failuresByKey.set(key, { count, atMs: nowMs, message });
      const [oldest] = this.#failuresByKey.keys();
      if (this.#failuresByKey.size > failuresMax && oldest !== undefined) this.#failuresByKey.delete(oldest);
    }
    this.#settings.failed(home, message);
    return new ActivateFault(code, message, { cause: error });
  }

  /** A program that dies at each start is not started for each request: it waits as a crashing pod does. */
  #refuseCrashLoop(key: string): void {
    const nowMs = this.#settings.clock.nowMs();
    const failures = this.#recent(key, nowMs);
    if (failures === undefined) return;
    const leftMs = failures.atMs + crashBackoffMs(failures.count) - nowMs;
    if (leftMs <= 0) return;
    throw new ActivateFault(
      "START_FAILED",
      `${failures.message}; ${String(failures.count)} starts in a row have failed, the next is tried in ${String(Math.ceil(leftMs / 1000))}s`,
    );
  }

  #recent(key: string, nowMs: number): Failures | undefined {
    const failures = this.#failuresByKey.get(key);
    return failures === undefined || nowMs - failures.atMs > failuresForgottenMs ? undefined : failures;
  }
}

/** Codes of a failed preparation that say something about the image, not about the way to it. */
const willNeverRun: ReadonlySet<string> = new Set([
  "NO_USABLE_VARIANT",
  "IMAGE_INVALID",
  "MANIFEST_INVALID",
  "LAYER_INVALID",
  "IMPORTS_UNMET",
  "UNSUPPORTED",
]);

function preparedOf(
  home: HomeRevision | undefined,
  key: string,
  node: string,
): { readonly home: HomeRevision; readonly image: PreparedImage } {
  if (home === undefined) {
    throw new ActivateFault("NOT_PREPARED", `node ${node} is no home of revision ${key}, or has not seen it yet`);
  }
  const { preparation } = home;
  if (preparation.phase === "prepared") return { home, image: preparation.prepared };
  if (preparation.phase === "failed" && willNeverRun.has(preparation.code)) {
    throw new ActivateFault("NO_USABLE_VARIANT", `revision ${key} cannot run on node ${node}: ${preparation.message}`);
  }
  const why = preparation.phase === "failed" ? `: ${preparation.message}` : " yet";
  throw new ActivateFault("NOT_PREPARED", `node ${node} has not prepared revision ${key}${why}`);
}

function activationOf(pod: LocalPod, startMs: number): Activation | undefined {
  if (pod.run === undefined) return undefined;
  return {
    podName: pod.manifest.name,
    podUid: pod.record.apiUid ?? pod.uid,
    endpoint: pod.run.endpoint,
    started: true,
    phasesMs: { prepare: 0, start: startMs },
  };
}

function activateCode(error: unknown): ActivateFaultCode {
  if (!(error instanceof PodFault)) return "START_FAILED";
  switch (error.code) {
    case "NO_CAPACITY":
      return "NO_CAPACITY";
    case "IMAGE_INVALID":
    case "IMPORTS_UNMET":
    case "UNSUPPORTED":
      return "NO_USABLE_VARIANT";
    case "NOT_RUNNING":
    case "EXEC_FAILED":
    case "EXITED":
    case "START_TIMEOUT":
      return "START_FAILED";
    default:
      return "START_FAILED";
  }
}
