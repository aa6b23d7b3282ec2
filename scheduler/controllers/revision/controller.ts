import { label, type Pod, type Revision, type RevisionScaling, variantWishOf, wishedVariant } from "@shallop/sdk/api";
import { type EventRecorder, referenceTo } from "@shallop/sdk/client";
import type { Clock, Random } from "@shallop/sdk/internal";
import type { Activity } from "../../autoscale/activity.ts";
import type { PodCounts } from "../../autoscale/revision-scaler.ts";
import { progressDeadlineMs } from "../../autoscale/spec.ts";
import { placePods } from "../../place/bind.ts";
import type { Workload } from "../../place/filter.ts";
import { chooseHomes, type Homes } from "../../place/homes.ts";
import type { BindTimes } from "../shared/bind-times.ts";
import type { Cluster } from "../shared/cluster.ts";
import { isConditionTrue } from "../shared/conditions.ts";
import { keyAt, keyOf } from "../shared/mirror.ts";
import { isControlledBy } from "../shared/ownership.ts";
import { same } from "../shared/same.ts";
import { demandOfRevision, newPod } from "./new-pod.ts";
import type { NodeRoom } from "./node-room.ts";
import { planPods, type PodRemoval } from "./plan.ts";
import { countPods, crashOf, endingOf, type NodeState, podState, type PodState } from "./pods.ts";
import { type Backoff, heldMs, withEnded } from "./replacement-backoff.ts";
import type { Resolution, Resolutions } from "./resolutions.ts";
import { initializedCondition, isRefusedByAll, passingMsMax, planStatus } from "./status.ts";

/** Says how many pods a revision shall have. */
interface ScaleSource {
  wanted(
    revision: Revision,
    counts: PodCounts,
  ): {
    readonly want: number;
    readonly initialScale: number;
    readonly scaling: RevisionScaling;
    readonly activity: Activity["phase"];
  };
}

export interface RevisionControllerOptions {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventRecorder;
  readonly scale: ScaleSource;
  readonly resolutions: Resolutions;
  readonly room: NodeRoom;
  readonly times: BindTimes;
  readonly nodeState: (node: string) => NodeState;
}

/**
 * A revision that comes from zero is brought up by the node that the gateway asked; its pod is in the API a moment
 * later. Only when it is not by then does the control plane start that pod too. A native pod takes half a second.
 */
const activationMs = 3_000;
/** Where nothing fits now, room may come without a change that we see: pods of others end. */
const unplaceableRetryMs = 5_000;

/** Codes of a preparation that say that the image can never run on a node (runtime's ImageFault and PodFault). */
const neverRuns: ReadonlySet<string> = new Set([
  "NO_USABLE_VARIANT",
  "IMAGE_INVALID",
  "MANIFEST_INVALID",
  "LAYER_INVALID",
  "IMPORTS_UNMET",
  "UNSUPPORTED",
]);

/** What is remembered of a revision from one look to the next. */
interface Memory {
  readonly uid: string;
  backoff: Backoff | undefined;
  lastWant: number;
  /** Since when a pod is awaited that a node brings up by itself. */
  expectedSinceMs: number | undefined;
  /** Since when every home says that it cannot prepare the image. */
  refusedSinceMs: number | undefined;
}

/** One look at a revision: everything that the plan is made from. */
interface Look {
  readonly revision: Revision;
  readonly pods: readonly { readonly pod: Pod; readonly state: PodState }[];
  readonly memory: Memory;
  readonly resolution: Resolution;
  readonly workload: Workload;
  readonly homes: Homes;
  readonly scale: ReturnType<ScaleSource["wanted"]>;
}

/** Revision → home nodes, pods bound to nodes, and what it says of itself. */
export class RevisionController {
  readonly #options: RevisionControllerOptions;
  readonly #memories = new Map<string, Memory>();

  constructor(options: RevisionControllerOptions) {
    this.#options = options;
  }

  /** Brings one revision nearer to what is wanted. Resolves with when to look again, if anything is waited for. */
  async reconcile(namespace: string, name: string): Promise<number | undefined> {
    const key = keyAt(namespace, name);
    const revision = this.#options.cluster.of("revisions").get(namespace, name);
    if (revision === undefined || revision.metadata.deletionTimestamp !== undefined) {
      this.#memories.delete(key);
      return undefined;
    }
    const look = this.#look(key, revision);
    const heldForMs = this.#heldMs(look);
    const expected = this.#expected(look);
    const plan = planPods({ pods: look.pods, want: look.scale.want, expected: expected.pods, isHeld: heldForMs > 0 });
    // What is lost or has ended makes room first: a revision has never more pods than its max-scale.
    for (const removal of plan.remove) if (removal.why !== "surplus") await this.#remove(revision, removal);
    const unplaceable = await this.#start(look, plan.create);
    for (const removal of plan.remove) if (removal.why === "surplus") await this.#remove(revision, removal);
    const refusedMs = this.#refusedMs(look);
    await this.#writeStatus(look, { unplaceable, refusedMs });
    const waits = [
      expected.leftMs,
      heldForMs === Number.POSITIVE_INFINITY ? 0 : heldForMs,
      unplaceable === undefined ? 0 : unplaceableRetryMs,
      refusedMs === undefined ? 0 : passingMsMax - refusedMs,
      look.resolution.phase === "failed" ? Math.max(1, look.resolution.retryAtMs - this.#options.clock.nowMs()) : 0,
    ].filter((ms) => ms > 0);
    // More than one look starts; the next one follows at once.
    if (plan.create > 0 && unplaceable === undefined) return 0;
    return waits.length === 0 ? this.#deadlineLeftMs(look) : Math.min(...waits);
  }

  #look(key: string, revision: Revision): Look {
    const { cluster, scale, resolutions, room, nodeState } = this.#options;
    const pods = cluster
      .of("pods")
      .indexed("revision", key)
      .filter((pod) => isControlledBy(pod, revision))
      .map((pod) => ({ pod, state: podState(pod, nodeState) }));
    const states = new Map(pods.map(({ pod, state }) => [pod.metadata.uid, state]));
    const counts: PodCounts = {
      ...countPods(
        pods.map(({ pod }) => pod),
        (pod) => states.get(pod.metadata.uid) ?? "ended",
      ),
      reachable: revision.metadata.labels?.[label.routingState] !== "reserve",
      initialized: isConditionTrue(revision, initializedCondition),
      prepared: (revision.status?.preparedNodes ?? []).length > 0,
      native: (revision.status?.preparedNodes ?? []).some(({ variant }) => variant === "native"),
    };
    const workload = workloadOf(key, revision);
    return {
      revision,
      pods,
      memory: this.#memoryOf(key, revision),
      resolution: resolutions.of(revision),
      workload,
      homes: chooseHomes(workload, room.views(), revision.status?.homeNodes ?? []),
      scale: scale.wanted(revision, counts),
    };
  }

  #memoryOf(key: string, revision: Revision): Memory {
    const { uid } = revision.metadata;
    const known = this.#memories.get(key);
    if (known?.uid === uid) return known;
    // What was wanted before a restart is in the status: it is no rise from zero now.
    const lastWant = revision.status?.desiredReplicas ?? 0;
    const memory: Memory = { uid, backoff: undefined, lastWant, expectedSinceMs: undefined, refusedSinceMs: undefined };
    this.#memories.set(key, memory);
    return memory;
  }

  /** How long no pod may be started; infinite: until something changes. */
  #heldMs({ revision, pods, memory, resolution }: Look): number {
    const nowMs = this.#options.clock.nowMs();
    const ended = pods
      .filter(({ pod, state }) => state === "ended" && pod.status?.phase === "Failed")
      .map(({ pod }) => ({ uid: pod.metadata.uid, reason: endingOf(pod) }));
    memory.backoff = withEnded(memory.backoff, ended, nowMs);
    const isPrepared = (revision.status?.preparedNodes ?? []).length > 0;
    const isFirst = !isConditionTrue(revision, initializedCondition);
    if (resolution.phase !== "resolved" || (isFirst && !isPrepared)) return Number.POSITIVE_INFINITY;
    return heldMs(memory.backoff, nowMs);
  }

  /** How many pods a node is about to bring up for a request that waits, and for how long that is believed. */
  #expected({ revision, pods, memory, scale }: Look): { readonly pods: number; readonly leftMs: number } {
    const nowMs = this.#options.clock.nowMs();
    const isThere = pods.some(({ state }) => state === "ready" || state === "starting");
    const rises = memory.lastWant === 0 && scale.want > 0 && isConditionTrue(revision, initializedCondition);
    memory.lastWant = scale.want;
    if (isThere || scale.want === 0) memory.expectedSinceMs = undefined;
    else if (rises) memory.expectedSinceMs = nowMs;
    const leftMs = memory.expectedSinceMs === undefined ? 0 : memory.expectedSinceMs + activationMs - nowMs;
    return leftMs > 0 ? { pods: 1, leftMs } : { pods: 0, leftMs: 0 };
  }

  /** Starts pods. Resolves with why the first one that fits nowhere does not. */
  async #start(look: Look, count: number): Promise<string | undefined> {
    const { cluster, room, random, events } = this.#options;
    const { revision, workload, pods } = look;
    if (count === 0) return undefined;
    const over = this.#options.times.attempt();
    const podsByNode = new Map<string, number>();
    for (const { pod, state } of pods) {
      const node = pod.spec.nodeName;
      if (node !== undefined && state !== "ended") podsByNode.set(node, (podsByNode.get(node) ?? 0) + 1);
    }
    const placements = placePods(workload, room.views(), { count, podsByNode });
    const bound = placements.filter((placement) => placement.kind === "bound");
    // All places are taken before the first write is waited for, so that nobody else takes them meanwhile.
    const starts = bound.map((placement) => ({ placement, release: room.reserve(placement.node, workload.demand) }));
    const created = await Promise.allSettled(
      starts.map(async ({ placement, release }) => {
        try {
          const place = { node: placement.node, suffix: random.suffix(5), reason: placement.sentence };
          const pod = await cluster.create("pods", newPod(revision, place));
          const message = `Successfully assigned ${keyOf(pod)} to ${placement.node}: ${placement.sentence}`;
          events.event(referenceTo(pod), "Normal", "Scheduled", message);
        } finally {
          release();
        }
      }),
    );
    const failure = created.find((result) => result.status === "rejected");
    const refused = placements.find((placement) => placement.kind === "unplaceable");
    over(failure !== undefined ? "error" : refused === undefined ? "scheduled" : "unschedulable");
    if (failure !== undefined) throw failure.reason;
    if (refused === undefined) return undefined;
    events.event(referenceTo(revision), "Warning", "FailedScheduling", refused.sentence);
    return refused.sentence;
  }

  async #remove(revision: Revision, { pod, why }: PodRemoval): Promise<void> {
    const { cluster, events } = this.#options;
    const words = {
      ended: `pod ${pod.metadata.name} has ended and is replaced: ${endingOf(pod)}`,
      lost: `pod ${pod.metadata.name} was on node ${pod.spec.nodeName ?? ""}, which is lost; others serve in its place`,
      surplus: undefined,
    } as const;
    await cluster.delete("pods", pod);
    const message = words[why];
    if (message === undefined) return;
    events.event(referenceTo(revision), "Warning", why === "ended" ? "PodEnded" : "PodLost", message);
  }

  /** For how long every home has said that it cannot prepare the image; undefined: some can, or have not said. */
  #refusedMs({ revision, memory, homes }: Look): number | undefined {
    const nowMs = this.#options.clock.nowMs();
    memory.refusedSinceMs = isRefusedByAll(revision, homes.nodes) ? (memory.refusedSinceMs ?? nowMs) : undefined;
    return memory.refusedSinceMs === undefined ? undefined : nowMs - memory.refusedSinceMs;
  }

  async #writeStatus(
    look: Look,
    {
      unplaceable,
      refusedMs = 0,
    }: { readonly unplaceable: string | undefined; readonly refusedMs: number | undefined },
  ): Promise<void> {
    const { cluster, clock } = this.#options;
    const { revision, pods, resolution, homes, scale, memory } = look;
    const ready = pods.filter(({ state }) => state === "ready").length;
    const { status, initialized } = planStatus({
      revision,
      resolution,
      homes,
      nodeExists: (node) => cluster.of("nodes").get(undefined, node) !== undefined,
      want: scale.want,
      ready,
      initialScale: scale.initialScale,
      scaling: scale.scaling,
      activity: scale.activity,
      crash: crashOfPods(pods, memory.backoff),
      unplaceable,
      refusedMs,
      ageMs: clock.wallMs() - Date.parse(revision.metadata.creationTimestamp),
      deadlineMs: progressDeadlineMs(revision.metadata.annotations ?? {}),
      wallMs: clock.wallMs(),
    });
    if (same(revision.status, status)) return;
    const written = await cluster.updateStatus("revisions", { ...revision, status });
    this.#tell(revision, written, { ready, homes, initialized });
  }

  /** Events for what has changed: homes, ready, failed. */
  #tell(
    before: Revision,
    after: Revision,
    facts: { readonly ready: number; readonly homes: Homes; readonly initialized: boolean },
  ): void {
    const { events } = this.#options;
    const about = referenceTo(after);
    const condition = (revision: Revision) => revision.status?.conditions?.find(({ type }) => type === "Ready");
    const [was, is] = [condition(before), condition(after)];
    if (!same(before.status?.homeNodes ?? [], after.status?.homeNodes ?? [])) {
      events.event(about, "Normal", "HomesChosen", facts.homes.sentence);
    }
    if (is?.status === "True" && was?.status !== "True") {
      const image = after.status?.containerStatuses?.[0]?.imageDigest ?? "";
      const prepared = (after.status?.preparedNodes ?? [])
        .map(({ node, variant }) => `${node} (${variant})`)
        .join(", ");
      const message = `the revision is ready: ${String(facts.ready)} pods, ${image} prepared on ${prepared}`;
      events.event(about, "Normal", "RevisionReady", message);
    }
    if (is?.status === "False" && (was?.status !== "False" || was.message !== is.message)) {
      events.event(about, "Warning", "RevisionFailed", `${is.reason ?? ""}: ${is.message ?? ""}`);
    }
  }

  /** A revision that is not up yet is looked at when its deadline is over. */
  #deadlineLeftMs({ revision }: Look): number | undefined {
    if (isConditionTrue(revision, initializedCondition)) return undefined;
    const { creationTimestamp, annotations = {} } = revision.metadata;
    const leftMs = Date.parse(creationTimestamp) + progressDeadlineMs(annotations) - this.#options.clock.wallMs();
    return leftMs > 0 ? leftMs + 1000 : undefined;
  }
}

function workloadOf(key: string, revision: Revision): Workload {
  const { preparedNodes = [], failedNodes = [] } = revision.status ?? {};
  const wish = wishedVariant(variantWishOf(revision.metadata.annotations)) ?? "any";
  return {
    revision: key,
    demand: demandOfRevision(revision),
    wish,
    prepared: new Set(preparedNodes.map(({ node }) => node)),
    preparing: new Set(isConditionTrue(revision, initializedCondition) ? [] : silentHomes(revision)),
    unusable: new Map(
      failedNodes.filter(({ code }) => neverRuns.has(code)).map(({ node, message }) => [node, message]),
    ),
  };
}

/** Homes that have said neither that they have prepared the image nor that they cannot. */
function silentHomes({ status = {} }: Revision): readonly string[] {
  const { homeNodes = [], preparedNodes = [], failedNodes = [] } = status;
  return homeNodes.filter((home) => ![...preparedNodes, ...failedNodes].some(({ node }) => node === home));
}

function crashOfPods(
  pods: readonly { readonly pod: Pod; readonly state: PodState }[],
  backoff: Backoff | undefined,
): { readonly reason: string; readonly message: string } | undefined {
  for (const { pod, state } of pods) {
    const crash = state === "starting" ? crashOf(pod) : undefined;
    if (crash !== undefined) return crash;
  }
  return backoff === undefined ? undefined : { reason: "PodFailed", message: backoff.reason };
}
