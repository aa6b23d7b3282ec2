import type { Clock, Timer } from "@shallop/sdk/internal";
import type { CompiledModules } from "./artifact-cache.ts";
import type { HostPod } from "./control-protocol.ts";
import { terminateTimeoutMs, threadStartOf } from "./hosted-pod.ts";
import { parkingKey } from "./parked-components.ts";
import type { PodThread } from "./pod-thread.ts";
import { practiceNumber } from "./thread-protocol.ts";

/** What is done with a thread that is nobody's. */
export type SpareThread = Pick<
  PodThread,
  "isGone" | "hasRested" | "hasParked" | "park" | "practise" | "rest" | "running" | "overdueMs" | "terminate" | "claim"
>;

/** What is over in a thread that is taken back. */
export interface PodOver {
  readonly pod: HostPod;
  readonly hasServed: boolean;
}

export interface SpareThreadsSettings<Thread extends SpareThread> {
  readonly clock: Clock;
  /** A new thread; `ready` is called when it is warm and still nobody's. */
  readonly make: (ready: () => void) => Thread;
  /** A path that no thread has had. */
  readonly socketPath: () => string;
  /** @throws when the component's files are gone */
  readonly modules: (pod: HostPod) => CompiledModules;
  /** Many requests are in flight. */
  readonly isCrowded: () => boolean;
  /** There may be one that has parked something, or others than before. */
  readonly changed: () => void;
}

// One thread that is ready, so that no start waits for one (150 ms of processor); 14 MB each.
const spareThreads = 1;
// A thread whose pod is over has compiled what a pod runs, and parked its component: it waits for the next, unless as many wait as this.
const restingThreadsMax = 4;
// It collects what the pod has left, some ten milliseconds, on a busy machine longer.
const restTimeoutMs = 5_000;
// The next one is made when the request that took the last has its answer, and the gateway has passed it on: on a small machine
// all of them would want the same processor. Where no request comes with a start, it is made later.
const spareDelayMs = 25;
const spareDelayMsMax = 400;
// A crowd has the processors to itself, for so long: what has no thread by now is served by those that there are.
const crowdMsMax = 3_000;
// Programs that are remembered not to practise: the oldest is tried again.
const unfitMax = 64;

/** The threads of a process that are no pod's: new ones, and those that rest after a pod. */
export class SpareThreads<Thread extends SpareThread = PodThread> {
  readonly #settings: SpareThreadsSettings<Thread>;
  /** Those that have served first, of them the one that did last. */
  #threads: Thread[] = [];
  #timer: Timer | undefined;
  /** What came up last: whoever is next is most likely one like it. */
  #latest: HostPod | undefined;
  #parksAhead = true;
  /** Those that are warm, and have parked nothing yet. */
  readonly #untried = new WeakSet<Thread>();
  /** By the thread that practised last: what it did with. */
  readonly #practice = new WeakMap<Thread, string>();
  /** Programs (`parkingKey`) that did not give the thread back when they practised. */
  readonly #unfit = new Set<string>();

  constructor(settings: SpareThreadsSettings<Thread>) {
    this.#settings = settings;
  }

  get size(): number {
    return this.#threads.length;
  }

  /** A guest is being parked. */
  get isAtWork(): boolean {
    return this.#threads.some(({ running }) => running !== 0);
  }

  /** As many as shall be ready. */
  fill(): void {
    while (this.#threads.length < spareThreads) this.#threads.push(this.#make());
    this.#parkAhead();
    this.#settings.changed();
  }

  /**
   * A thread for a pod. Best one where the pod's component is parked; or else, of those that have served, the one whose last pod has
   * been over for longest.
   */
  take(key: string): Thread {
    for (;;) {
      const waiting = this.#threads.filter(({ isGone }) => !isGone);
      const atRest = waiting.findLast(({ hasRested }) => hasRested);
      const thread = waiting.find((each) => each.hasParked(key)) ?? atRest ?? waiting[0];
      this.#threads = waiting.filter((each) => each !== thread);
      this.#fillIn(spareDelayMsMax);
      if (thread === undefined) return this.#make();
      // Another one has become a pod by itself, of which it is about to tell.
      if (thread.claim()) return thread;
    }
  }

  /** One that waits with this component. */
  parkedWith(key: string): Thread | undefined {
    return this.#threads.find((each) => !each.isGone && each.hasParked(key));
  }

  has(thread: Thread): boolean {
    return this.#threads.includes(thread);
  }

  /** It has become a pod by itself. */
  woken(thread: Thread): void {
    this.#threads = this.#threads.filter((each) => each !== thread);
    this.#fillIn(spareDelayMsMax);
  }

  /** A pod has answered its first request. */
  served(): void {
    this.#fillIn(spareDelayMs);
  }

  /** A pod has come up. */
  cameUp(pod: HostPod): void {
    this.#latest = pod;
  }

  /** Takes back one whose pod has drained. One that has served nothing practises. @returns false when it is to be ended */
  async rest(thread: Thread, { pod, hasServed }: PodOver): Promise<boolean> {
    const { clock, socketPath } = this.#settings;
    if (!(await thread.rest(socketPath(), clock, restTimeoutMs))) return false;
    this.#threads.unshift(thread);
    const resting = this.#threads.filter(({ hasRested }) => hasRested);
    const surplus = resting.length > restingThreadsMax ? resting.at(-1) : undefined;
    this.#threads = this.#threads.filter((each) => each !== surplus);
    if (surplus?.claim() === true) await surplus.terminate(clock, terminateTimeoutMs);
    this.#settings.changed();
    if (!hasServed && this.#practises(thread, parkingKey(pod))) thread.practise(threadStartOf(pod));
    return true;
  }

  /**
   * For the watchdog: no guest is asked to come up in a thread that waits after one that did once does not there, and none is asked to
   * practise again that does not come to an end with it.
   */
  check(): void {
    const stuck = this.#threads.filter((thread) => thread.running !== 0 && thread.overdueMs() > 0);
    if (stuck.length === 0) return;
    for (const thread of stuck) {
      if (thread.running === practiceNumber) this.#isUnfit(this.#practice.get(thread) ?? "");
      else this.#parksAhead = false;
    }
    this.#threads = this.#threads.filter((thread) => !stuck.includes(thread));
    for (const thread of stuck) void thread.terminate(this.#settings.clock, terminateTimeoutMs);
    this.#fillIn(spareDelayMs);
  }

  async close(): Promise<void> {
    this.#timer?.cancel();
    for (const thread of this.#threads.splice(0)) await thread.terminate(this.#settings.clock, terminateTimeoutMs);
  }

  #fillIn(delayMs: number, crowdMs = 0): void {
    const { clock, isCrowded } = this.#settings;
    this.#timer?.cancel();
    this.#timer = clock.after(delayMs, () => {
      if (isCrowded() && crowdMs < crowdMsMax) this.#fillIn(spareDelayMsMax, crowdMs + spareDelayMsMax);
      else this.fill();
    });
  }

  #practises(thread: Thread, key: string): boolean {
    this.#practice.set(thread, key);
    return !this.#unfit.has(key);
  }

  #isUnfit(key: string): void {
    this.#unfit.add(key);
    const [oldest = ""] = this.#unfit;
    if (this.#unfit.size > unfitMax) this.#unfit.delete(oldest);
  }

  #make(): Thread {
    const thread: Thread = this.#settings.make(() => {
      this.#untried.add(thread);
      this.#parkAhead();
    });
    return thread;
  }

  /** A thread that nobody needs yet, and that has nothing, is to have what is most likely asked of it, unless another one that waits has it. */
  #parkAhead(): void {
    const pod = this.#latest;
    const thread = this.#threads.find((each) => this.#untried.has(each) && !each.hasRested);
    if (pod === undefined || thread === undefined || !this.#parksAhead) return;
    const key = parkingKey(pod);
    if (this.#threads.some((each) => each.hasParked(key))) return;
    this.#untried.delete(thread);
    try {
      const modules = this.#settings.modules(pod);
      thread.park(threadStartOf(pod), modules, { practises: this.#practises(thread, key) });
    } catch {
      // Its files are gone: no pod will be like it.
      this.#latest = undefined;
    }
  }
}
