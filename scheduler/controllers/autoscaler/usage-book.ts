import { annotation, type Container, parseQuantity, type Pod, type Revision } from "@shallop/sdk/api";
import { type Clock, describeError, type Log } from "@shallop/sdk/internal";
import type { NodeUsage, PodUsage } from "@shallop/sdk/wire";
import type { LoadSample } from "../../autoscale/signals.ts";
import type { Cluster } from "../shared/cluster.ts";
import { keyAt, keyOf } from "../shared/mirror.ts";

/** Where a node's agent is. */
export interface NodeAddress {
  readonly node: string;
  readonly address: string;
}

/** Asks nodes what their pods use. Those that do not answer are left out. */
export type AskNodes = (
  nodes: readonly NodeAddress[],
  signal: AbortSignal,
) => Promise<readonly { readonly node: string; readonly usage: NodeUsage }[]>;

export interface UsageBookOptions {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly log: Log;
  readonly askNodes: AskNodes;
}

/** Processor, in percent of what one pod asks for, and MiB: all pods of a revision together. */
type ResourceLoad = Required<Pick<LoadSample, "cpu" | "memory">>;

/** An agent measures over a second at least; one that takes longer is no news. */
const askTimeoutMs = 5_000;
/** Three rounds of asking. What is older says nothing of now. */
const staleMs = 15_000;
/** A container that asks for no processor is taken for one that can fill a core: a component has one thread. */
const coresDefault = 1;
const bytesPerMebibyte = 1 << 20;

/** What the pods of revisions use that scale by it. Nodes are asked only for those. */
export class UsageBook {
  readonly #options: UsageBookOptions;
  readonly #loads = new Map<string, { readonly atMs: number; readonly load: ResourceLoad }>();
  #isAsking = false;

  constructor(options: UsageBookOptions) {
    this.#options = options;
  }

  /** Undefined: not known, or not any more. */
  of(key: string): ResourceLoad | undefined {
    const known = this.#loads.get(key);
    return known === undefined || this.#options.clock.nowMs() - known.atMs > staleMs ? undefined : known.load;
  }

  /** Asks anew what the pods of these use, unless that is under way. */
  async refresh(revisions: readonly Revision[]): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const { clock, log, askNodes } = this.#options;
    const late = new AbortController();
    const timer = clock.after(askTimeoutMs, () => late.abort(new Error("no node answered in time")));
    try {
      const podsByRevision = revisions.map((revision) => ({ revision, pods: this.#podsOf(revision) }));
      const nodes = new Set(podsByRevision.flatMap(({ pods }) => pods.map(({ spec }) => spec.nodeName)));
      const usages = await askNodes(this.#addresses(nodes), late.signal);
      this.#note(podsByRevision, usages);
    } catch (error) {
      log.warn("the nodes could not be asked what pods use", { reason: describeError(error) });
    } finally {
      timer.cancel();
      this.#isAsking = false;
    }
  }

  #note(
    podsByRevision: readonly { readonly revision: Revision; readonly pods: readonly Pod[] }[],
    usages: readonly { readonly node: string; readonly usage: NodeUsage }[],
  ): void {
    const answered = new Set(usages.map(({ node }) => node));
    const usageByPod = new Map<string, PodUsage>();
    for (const { usage } of usages) for (const pod of usage.pods) usageByPod.set(keyAt(pod.namespace, pod.name), pod);
    const atMs = this.#options.clock.nowMs();
    // Those that are scaled by something else now, or are gone, are not kept.
    this.#loads.clear();
    for (const { revision, pods } of podsByRevision) {
      // Half of the pods are no sum: better none than one that takes pods away.
      if (!pods.every(({ spec }) => answered.has(spec.nodeName ?? ""))) continue;
      const known = pods.flatMap((pod) => usageByPod.get(keyOf(pod)) ?? []);
      if (known.length === 0) continue;
      this.#loads.set(keyOf(revision), { atMs, load: sumOf(known, coresOf(revision)) });
    }
  }

  #podsOf(revision: Revision): readonly Pod[] {
    return this.#options.cluster
      .of("pods")
      .indexed("revision", keyOf(revision))
      .filter(({ metadata, spec }) => metadata.deletionTimestamp === undefined && spec.nodeName !== undefined);
  }

  #addresses(nodes: ReadonlySet<string | undefined>): readonly NodeAddress[] {
    return [...this.#options.cluster.of("nodes").items()].flatMap(({ metadata }) => {
      const address = metadata.annotations?.[annotation.agentAddress];
      return address === undefined || !nodes.has(metadata.name) ? [] : [{ node: metadata.name, address }];
    });
  }
}

function sumOf(pods: readonly PodUsage[], cores: number): ResourceLoad {
  let cpu = 0;
  let memory = 0;
  for (const { cpuNanoCores, memoryBytes } of pods.flatMap(({ containers }) => containers)) {
    cpu += (100 * cpuNanoCores) / 1e9 / cores;
    memory += memoryBytes / bytesPerMebibyte;
  }
  return { cpu, memory };
}

/** What a pod asks for: its requests, or else its limits. */
function coresOf({ spec }: Revision): number {
  const coresOfContainer = ({ resources }: Container): number => {
    const cpu = resources?.requests?.["cpu"] ?? resources?.limits?.["cpu"];
    const cores = cpu === undefined ? undefined : parseQuantity(cpu);
    return cores === undefined || cores <= 0 ? coresDefault : cores;
  };
  return (spec.containers ?? []).reduce((sum, container) => sum + coresOfContainer(container), 0);
}
