import { type Clock, describeError, type Log, type Random } from "@shallop/sdk/internal";
import type { Activation } from "@shallop/sdk/wire";
import { PodSet, type PodSlot } from "../balance/pod-set.ts";
import type { Distance } from "../balance/near-first.ts";
import type { GatewayLimits } from "../limits.ts";
import { GatewayFault, type GatewayFaultCode } from "../proxy/fault-status.ts";
import type { GrowthRules } from "../route/growth.ts";
import type { NodeTarget, RevisionTarget, WatchedPod } from "../route/target.ts";
import { checkEndpoint } from "../route/target.ts";
import { type Growing, ScaleOut } from "./scale-out.ts";
import { type QueueRules, WaitQueue, type WaitBudget } from "./wait-queue.ts";

/** A request that wants a pod. It watches its own deadline and calls `leave` when that has passed. */
export interface Waiter {
  /** Requests with the same belong to the same pod. */
  readonly affinity: string | undefined;
  /** The pod that it had before, as `stickyToken` has its name: it has it again while that lives. */
  readonly seat?: string | undefined;
  granted(slot: PodSlot): void;
  /** It will not be granted any more. */
  refused(fault: GatewayFault): void;
}

export interface ActivateOptions {
  readonly signal: AbortSignal;
  /** Names of the node's pods that have enough to do: one beside them is wanted. */
  readonly beside?: readonly string[];
}

/** Asks a node to bring a revision up. */
export interface NodeAgents {
  /** The answer that the node has given ahead: a pod that comes up by itself when it is connected to. Undefined: it has to be asked. */
  standby(node: NodeTarget, target: RevisionTarget): Activation | undefined;
  /** That pod has come up, and has answered. */
  standbyCame?(target: RevisionTarget, tookMs: number): void;
  /** @throws GatewayFault with an ActivateFaultCode, or CONNECT_FAILED when the agent cannot be reached. */
  activate(node: NodeTarget, target: RevisionTarget, options: ActivateOptions): Promise<Activation>;
}

export interface DispatcherOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly limits: GatewayLimits;
  readonly budget: WaitBudget;
  readonly agents: NodeAgents;
  readonly node: (name: string) => NodeTarget | undefined;
  /** How far a node is. */
  readonly distance: (node: string) => Distance;
  /** A request waits for a revision without a pod: the control plane should hear of it now. */
  readonly poke: (revision: string) => void;
  /** A pod is not known any more. */
  readonly podGone: (uid: string) => void;
}

/** What the last activation took, for `Server-Timing`. */
export interface ActivationPhases {
  /** When the pod was there; requests that came later have not waited for it. */
  readonly atMs: number;
  readonly activateMs: number;
  readonly prepareMs: number;
  readonly startMs: number;
}

// On a small machine the control plane would have the processor that the pod comes up on; its node waits longer before it records it.
const standbyPokeMs = 50;

// Pause after every home has refused, doubling. The first is short: a pod may be about to appear.
const retryMsMin = 50;
const retryMsMax = 1_000;

// A node whose pod could not be reached is asked for another one only after all other homes, this long: about as long as
// the control plane takes to see that a node is gone.
const suspectMs = 20_000;

/** Where a node has not said, pods are as many as are wanted of them. */
const processorsOf = (node: NodeTarget | undefined): number =>
  node === undefined ? 0 : (node.processors ?? Number.POSITIVE_INFINITY);

/**
 * Gives the requests of one revision to its pods. Those that find no free slot wait in order; when there is no pod at
 * all, one activation at a time is under way for all of them, however many they are.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #queue: WaitQueue<Waiter>;
  readonly #pods: PodSet;
  readonly #closed = new AbortController();
  readonly #scaleOut: ScaleOut;
  #target: RevisionTarget;
  #activating = false;
  #serving = false;
  #phases: ActivationPhases | undefined;
  /** The pod that was last connected to without asking its node, and whether it has ever answered. */
  #standby: { readonly name: string; readonly tookMs: number; state: "connecting" | "there" | "missed" } | undefined;
  /** Nodes where a pod could not be reached, and until when that says something about the node. */
  readonly #suspectUntilMs = new Map<string, number>();
  /** Ends the pause between two rounds of activation. */
  #wake: (() => void) | undefined;

  constructor(target: RevisionTarget, options: DispatcherOptions) {
    this.#target = target;
    this.#options = options;
    const { clock, random, podGone, budget, distance } = options;
    this.#queue = new WaitQueue({
      tenant: target.namespace,
      rules: this.#queueRules(),
      budget,
      shed: (waiter) => waiter.refused(this.#queueFull()),
    });
    this.#pods = new PodSet({ clock, random, available: () => this.#serve(), gone: podGone, distance });
    this.#pods.follow(target);
    this.#scaleOut = this.#makeScaleOut();
  }

  get target(): RevisionTarget {
    return this.#target;
  }

  /** Requests that wait now. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** It knows no pod, and nobody waits. */
  get idle(): boolean {
    return this.#pods.size === 0 && this.#queue.length === 0;
  }

  /** Pods that may be given requests now. */
  get usablePods(): number {
    return this.#pods.usable;
  }

  get lastActivation(): ActivationPhases | undefined {
    return this.#phases;
  }

  /** The revision has changed: its limits, its homes. */
  update(target: RevisionTarget): void {
    this.#target = target;
    this.#queue.limit(this.#queueRules());
    this.#pods.follow(target);
    this.#wake?.();
  }

  podChanged(pod: WatchedPod): void {
    this.#pods.watched(pod);
    // The pods that there were may be gone, with requests waiting for their slots.
    this.#activateIfNeeded();
  }

  podGone(uid: string): void {
    this.#pods.gone(uid);
    this.#activateIfNeeded();
  }

  /** A slot for `waiter` now; or undefined, and it is granted or refused later. */
  acquire(waiter: Waiter): PodSlot | undefined {
    if (this.#queue.length === 0 && this.#pods.usable === 0) this.#takeStandby();
    const slot = this.#queue.length === 0 ? this.#pods.take(waiter) : undefined;
    if (slot !== undefined) {
      this.#scaleOut.look();
      return slot;
    }
    if (this.#closed.signal.aborted) {
      waiter.refused(new GatewayFault("REVISION_GONE", `revision ${this.#target.key} was deleted`));
    } else if (!this.#queue.push(waiter)) {
      waiter.refused(this.#queueFull());
    } else {
      this.#activateIfNeeded();
      this.#scaleOut.look();
    }
    return undefined;
  }

  /** The request in `slot` is over. */
  release(slot: PodSlot, outcome: "answered" | "unreachable" | "other"): void {
    const { node, name, uid } = slot.target;
    if (outcome === "answered") {
      this.#pods.succeeded(slot);
      this.#suspectUntilMs.delete(node);
      if (this.#standby?.name === name && this.#standby.state !== "there") {
        this.#standby.state = "there";
        this.#options.agents.standbyCame?.(this.#target, this.#standby.tookMs);
      }
    } else if (outcome === "unreachable" && this.#standby?.name === name && this.#standby.state !== "there") {
      // It does not stand by any more, which says nothing about its node: that is asked now.
      this.#standby.state = "missed";
      this.#pods.gone(uid);
    } else if (outcome === "unreachable") {
      this.#pods.setAside(slot);
      this.#suspectUntilMs.set(node, this.#options.clock.nowMs() + suspectMs);
    }
    this.#pods.give(slot);
    if (outcome === "unreachable") this.#activateIfNeeded();
  }

  /** The pod answers, and badly: others first, for `durationMs`. */
  eject(slot: PodSlot, durationMs: number): void {
    this.#pods.eject(slot, durationMs);
    this.#activateIfNeeded();
  }

  /** The pod asks for no more requests. */
  drain(uid: string): void {
    this.#pods.drain(uid);
    this.#activateIfNeeded();
  }

  /** `waiter` has gone, or its time has passed. */
  leave(waiter: Waiter): void {
    this.#queue.delete(waiter);
  }

  /** The revision is gone: nobody waits for it any more. */
  close(code: GatewayFaultCode): void {
    this.#closed.abort();
    this.#wake?.();
    this.#pods.clear();
    this.#refuseAll(new GatewayFault(code, `nobody can wait for revision ${this.#target.key} any more`));
  }

  /** No revision may hold more than the gateway allows for one. */
  #queueRules(): QueueRules {
    const { queueDepthMax } = this.#options.limits;
    const { depthMax = queueDepthMax, sheds } = this.#target.hold;
    return { depthMax: Math.min(depthMax, queueDepthMax), sheds };
  }

  #queueFull(): GatewayFault {
    return new GatewayFault("QUEUE_FULL", `too many requests wait for revision ${this.#target.key}`);
  }

  #refuseAll(fault: GatewayFault): void {
    for (let waiter = this.#queue.shift(); waiter !== undefined; waiter = this.#queue.shift()) waiter.refused(fault);
  }

  #serve(): void {
    // A grant may end at once and give its slot back, which comes here again.
    if (this.#serving) return;
    this.#serving = true;
    this.#wake?.();
    // Those that waited for the first pod may be too many for it.
    if (this.#queue.length > 0) this.#scaleOut.look();
    while (this.#queue.length > 0) {
      const next = this.#queue.first;
      const slot = this.#pods.take(next);
      if (slot === undefined) break;
      this.#queue.shift()?.granted(slot);
    }
    this.#serving = false;
  }

  /** From zero, without asking: a pod of the first home that comes up when it is connected to. */
  #takeStandby(): void {
    if (this.#activating || this.#closed.signal.aborted) return;
    const { clock, poke } = this.#options;
    const startedMs = clock.nowMs();
    const node = this.#options.node(this.#homesInOrder()[0] ?? "");
    const answer = node && this.#options.agents.standby(node, this.#target);
    if (node === undefined || answer === undefined) return;
    if (this.#standby?.name === answer.podName && this.#standby.state === "missed") return;
    this.#standby = { name: answer.podName, tookMs: clock.nowMs() - startedMs, state: "connecting" };
    // Before its node records it, and after it has had the processor for its answer.
    clock.after(standbyPokeMs, () => poke(this.#target.key));
    this.#activated(node, answer, startedMs);
  }

  #activateIfNeeded(): void {
    if (this.#activating || this.#queue.length === 0 || this.#pods.usable > 0 || this.#closed.signal.aborted) return;
    this.#activating = true;
    this.#options.poke(this.#target.key);
    this.#activate().then(
      () => this.#activationOver(),
      (error: unknown) => {
        this.#options.log.error("activation failed", error, { revision: this.#target.key });
        this.#activationOver();
      },
    );
  }

  #activationOver(): void {
    this.#activating = false;
    this.#activateIfNeeded();
  }

  get #needed(): boolean {
    return this.#queue.length > 0 && this.#pods.usable === 0 && !this.#closed.signal.aborted;
  }

  async #activate(): Promise<void> {
    for (let retryMs = retryMsMin; this.#needed; retryMs = Math.min(retryMs * 2, retryMsMax)) {
      const refusals = await this.#askHomes();
      if (!this.#needed) return;
      const hopeless = refusals.length > 0 && refusals.every(({ code }) => code === "NO_USABLE_VARIANT");
      if (hopeless && refusals[0] !== undefined) return this.#refuseAll(refusals[0]);
      await this.#pause(retryMs);
    }
  }

  /** Asks each home in turn until one has brought a pod up. @returns why each refused. */
  async #askHomes(): Promise<readonly GatewayFault[]> {
    const refusals: GatewayFault[] = [];
    const target = this.#target;
    for (const home of this.#homesInOrder()) {
      const node = this.#options.node(home);
      if (node === undefined) continue;
      const startedMs = this.#options.clock.nowMs();
      try {
        const activation = await this.#options.agents.activate(node, target, { signal: this.#closed.signal });
        this.#activated(node, activation, startedMs);
        return [];
      } catch (error) {
        const fault = error instanceof GatewayFault ? error : new GatewayFault("START_FAILED", describeError(error));
        this.#options.log.warn("a home node did not activate a revision", {
          revision: target.key,
          node: home,
          code: fault.code,
          reason: describeError(fault),
        });
        refusals.push(fault);
      }
      if (!this.#needed) return refusals;
    }
    return refusals;
  }

  #makeScaleOut(): ScaleOut {
    const rules = (): GrowthRules | undefined => this.#target.growth;
    const demand = (): number => this.#pods.outstanding + this.#queue.length;
    const pods = (): number => (this.#pods.areWasm ? this.#pods.usable : 0);
    const processors = (): number =>
      this.#target.homes.reduce((sum, home) => sum + processorsOf(this.#options.node(home)), 0);
    const growing: Growing = {
      get rules() {
        return rules();
      },
      get demand() {
        return demand();
      },
      get pods() {
        return pods();
      },
      get processors() {
        return processors();
      },
      cap: (slots) => this.#pods.cap(slots),
      addPod: (forRoom) => this.#addPod(forRoom),
    };
    return new ScaleOut(growing, this.#options);
  }

  /** One pod more, beside those that there are; where each has a processor, or else only `forRoom`. @throws what the last home said, when none has one */
  async #addPod(forRoom: boolean): Promise<void> {
    const target = this.#target;
    const { signal } = this.#closed;
    let last: unknown = new GatewayFault("NOT_PREPARED", `no home of revision ${target.key} is known`);
    const homes = this.#homesInOrder().flatMap((home) => {
      const node = this.#options.node(home);
      return node === undefined ? [] : [{ node, beside: this.#pods.namesOn(home) }];
    });
    const { processorsPerPod = 1 } = target.growth ?? {};
    const isBusy = ({ node, beside }: (typeof homes)[number]): boolean =>
      beside.length * processorsPerPod >= processorsOf(node);
    for (const { node, beside } of [
      ...homes.filter((home) => !isBusy(home)),
      ...(forRoom ? homes.filter(isBusy) : []),
    ]) {
      try {
        const activation = await this.#options.agents.activate(node, target, { signal, beside });
        if (!beside.includes(activation.podName)) return this.#take(node, activation);
      } catch (error) {
        last = error;
      }
    }
    throw last;
  }

  /** Homes in the order of preference, those last where a pod could not be reached: its node may be dying. */
  #homesInOrder(): readonly string[] {
    const nowMs = this.#options.clock.nowMs();
    for (const [node, untilMs] of this.#suspectUntilMs) if (untilMs <= nowMs) this.#suspectUntilMs.delete(node);
    const isSuspect = (home: string): boolean => this.#suspectUntilMs.has(home);
    const { homes } = this.#target;
    return [...homes.filter((home) => !isSuspect(home)), ...homes.filter(isSuspect)];
  }

  #activated(node: NodeTarget, activation: Activation, startedMs: number): void {
    const nowMs = this.#options.clock.nowMs();
    this.#phases = {
      atMs: nowMs,
      activateMs: nowMs - startedMs,
      prepareMs: activation.phasesMs.prepare,
      startMs: activation.phasesMs.start,
    };
    this.#take(node, activation);
  }

  /** Gives requests to a pod that a node has brought up. @throws GatewayFault START_FAILED */
  #take(node: NodeTarget, activation: Activation): void {
    const endpoint = checkEndpoint(activation.endpoint);
    if (endpoint === undefined)
      throw new GatewayFault("START_FAILED", `node ${node.name} gave an endpoint that is none`);
    if (this.#closed.signal.aborted) return;
    const { namespace, key } = this.#target;
    const pod = {
      uid: activation.podUid,
      namespace,
      name: activation.podName,
      revision: key,
      node: node.name,
      endpoint,
    };
    this.#pods.activated(pod, activation.started);
  }

  /** Waits for `delayMs`, or until something has changed. */
  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(delayMs, () => this.#wake?.());
      this.#wake = () => {
        timer.cancel();
        this.#wake = undefined;
        resolve();
      };
    });
  }
}
