import { cpus, freemem, totalmem } from "node:os";
import { type Clock, rfc3339 } from "@shallop/sdk/internal";
import type { ContainerUsage, NodeUsage, PodUsage } from "@shallop/sdk/wire";
import type { ContainerCounters, PodCounters, PodRuntime } from "../pod/pod-runtime.ts";
import { containerName } from "./manifest.ts";
import type { NodePods } from "./node-pods.ts";

/** Counters at a moment. */
interface Sample {
  readonly atMs: number;
  readonly cpuNs: number;
  readonly pods: readonly PodCounters[];
}

/** A rate over less says more of chance than of the program. */
const windowMsMin = 1000;
/** A rate over more is no longer of now. */
const windowMsMax = 60_000;

/** Measures when it is asked: an idle node costs nothing. The first one who asks waits for a second. */
export class UsageMeter {
  readonly #runtimes: readonly PodRuntime[];
  readonly #pods: NodePods;
  readonly #clock: Clock;
  #last: Sample | undefined;

  constructor(runtimes: readonly PodRuntime[], pods: NodePods, clock: Clock) {
    this.#runtimes = runtimes;
    this.#pods = pods;
    this.#clock = clock;
  }

  async usage(): Promise<NodeUsage> {
    const nowMs = this.#clock.nowMs();
    const last = this.#last;
    const isFresh = last !== undefined && nowMs - last.atMs <= windowMsMax;
    const before = isFresh ? last : await this.#sample();
    const leftMs = before.atMs + windowMsMin - this.#clock.nowMs();
    if (leftMs > 0) await this.#clock.sleep(leftMs);
    const now = await this.#sample();
    this.#last = now;
    const windowMs = now.atMs - before.atMs;
    return {
      at: rfc3339(this.#clock.wallMs()),
      windowMs,
      cpuNanoCores: nanoCores(before.cpuNs, now.cpuNs, windowMs),
      cpuNs: now.cpuNs,
      memoryBytes: totalmem() - freemem(),
      memoryBytesTotal: totalmem(),
      pods: now.pods.flatMap((pod) => this.#usageOf(pod, before, windowMs)),
    };
  }

  async #sample(): Promise<Sample> {
    const pods = await Promise.all(this.#runtimes.map(async (runtime) => runtime.counters?.() ?? []));
    // Milliseconds of all processors together.
    const busyMs = cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
    return { atMs: this.#clock.nowMs(), cpuNs: busyMs * 1e6, pods: pods.flat() };
  }

  #usageOf(pod: PodCounters, before: Sample, windowMs: number): readonly PodUsage[] {
    const local = this.#pods.byUid(pod.uid);
    if (local === undefined) return [];
    const { manifest, record } = local;
    const earlier = new Map(
      before.pods.find(({ uid }) => uid === pod.uid)?.containers.map((one) => [one.container, one.cpuNs]) ?? [],
    );
    const usage = ({ container, cpuNs, ...counters }: ContainerCounters): ContainerUsage => ({
      name: container ?? containerName(manifest.spec),
      cpuNanoCores: nanoCores(earlier.get(container) ?? cpuNs, cpuNs, windowMs),
      cpuNs,
      ...counters,
      ...startOf(local.startedWallMs(container)),
    });
    const { namespace, name } = manifest;
    const uid = record.apiUid ?? pod.uid;
    return [{ namespace, name, uid, network: pod.network, containers: pod.containers.map(usage) }];
  }
}

const startOf = (wallMs: number | undefined): Pick<ContainerUsage, "startedAt"> =>
  wallMs === undefined ? {} : { startedAt: rfc3339(wallMs) };

/** A counter that went back began anew. Worked: 5e8 ns of processor time in 1000 ms are 5e8 nanocores, half a core. */
const nanoCores = (beforeNs: number, nowNs: number, windowMs: number): number =>
  Math.max(0, Math.round(((nowNs - beforeNs) / windowMs) * 1000));
