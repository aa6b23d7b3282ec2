import { renameSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { Clock, Timer } from "@shallop/sdk/internal";
import { encodeAbort } from "@shallop/sdk/wire";
import { threadClock } from "../sandbox/kernel/thread-clock.ts";
import type { CompiledModules } from "./artifact-cache.ts";
import { interruptThread } from "./interrupt-thread.ts";
import { LastWord } from "./last-word.ts";
import { budgetFor, mapsMaxUsual, type SharedBudget, shareBudget, ThreadBudget } from "./process-budget.ts";
import { ThreadClaim } from "./thread-claim.ts";
import {
  freshSlots,
  sharedNowMs,
  slot,
  type StopCode,
  stopCodes,
  type ThreadCommand,
  type ThreadData,
  type ThreadEvent,
  type ThreadStart,
} from "./thread-protocol.ts";

const program = fileURLToPath(new URL("pod-thread-entry-main.ts", import.meta.url));

/** JavaScript heap of a pod's thread: bindings and handles of its instances. Linear memories are not counted here. */
const threadHeapMb = 256;
// Of it, for what is young: requests leave nothing behind, so that a small space is emptied as cheaply as a large one, which a
// busy thread would keep (48 MB by default). Measured: with 3 MB a request costs a tenth more, with 6 MB no more than with 48.
const youngHeapMb = 6;

export interface ThreadHandlers {
  event(event: ThreadEvent): void;
  /** The thread is gone, asked for or not; `error` is what it died of. */
  gone(error: Error | undefined): void;
}

export interface ThreadOptions {
  readonly flushes?: boolean;
  /** Told when it is warm, and nobody's yet. */
  readonly spare?: () => void;
  /** Told when a component has been parked there, and it is nobody's yet. */
  readonly parked?: () => void;
  /** Told when it has become this pod by itself; the pod's events come once somebody owns it. */
  readonly woken?: (uid: string) => void;
  /** The process's; a thread that is alone has one of its own. */
  readonly budget?: SharedBudget;
}

const ownBudget = (): SharedBudget => shareBudget(budgetFor(mapsMaxUsual));

/** The main thread's end of one pod thread. */
export class PodThread {
  #socketPath: string;
  readonly #worker: Worker;
  readonly #slots: Float64Array<SharedArrayBuffer>;
  #handlers: ThreadHandlers | undefined;
  #error: Error | undefined;
  #isGone = false;
  #rested: ((parked: readonly string[] | undefined) => void) | undefined;
  #parked: readonly string[] = [];
  #hasRested = false;
  #listens = false;
  #cpuBeforeMs = 0;
  #early: ThreadEvent[] = [];
  #measured: PromiseWithResolvers<number> | undefined;
  readonly #claim = new ThreadClaim();
  readonly #options: ThreadOptions;
  readonly #withdrawals = new Map<string, () => void>();

  /**
   * `socketPath`: where it listens until it is given a pod. `compileCache`: see HostServerSettings; with it a thread
   * starts in a third of the time and with half the memory, because no TypeScript is read. `flushes`: see ThreadData.
   */
  constructor(socketPath: string, compileCache: string, options: ThreadOptions = {}) {
    const { flushes = false, budget = ownBudget() } = options;
    this.#options = options;
    this.#socketPath = socketPath;
    this.#slots = freshSlots();
    this.#worker = new Worker(program, {
      workerData: {
        ...{ shared: this.#slots.buffer, socketPath, flushes, budget, claim: this.#claim.shared },
      } satisfies ThreadData,
      env: compileCache === "" ? {} : { NODE_COMPILE_CACHE: compileCache },
      stdin: false,
      resourceLimits: { maxOldGenerationSizeMb: threadHeapMb, maxYoungGenerationSizeMb: youngHeapMb },
    });
    this.#worker.on("message", (event: ThreadEvent) => this.#receive(event));
    this.#worker.once("error", (error: unknown) => {
      this.#error = error instanceof Error ? error : new Error(String(error));
    });
    this.#worker.once("exit", () => {
      this.#isGone = true;
      new ThreadBudget(budget, this.#slots).giveBack();
      rmSync(this.#socketPath, { force: true });
      this.#handlers?.gone(this.#error);
      this.#rested?.(undefined);
      for (const withdrawn of this.#withdrawals.values()) withdrawn();
    });
  }

  #receive(event: ThreadEvent): void {
    if (event.type === "memory") return this.#haveMeasured(event.bytes);
    if (event.type === "rested") return this.#rested?.(event.parked);
    if (event.type === "parked") return this.#haveParked(event.parked);
    if (event.type === "woken") return this.#options.woken?.(event.uid);
    if (event.type === "withdrawn") return this.#withdrawals.get(event.uid)?.();
    if (event.type === "spare") this.#listens = true;
    if (this.#handlers !== undefined) return this.#handlers.event(event);
    this.#early.push(event);
    if (event.type === "spare") this.#options.spare?.();
  }

  /** Whoever owns the thread from now on. Events that came before are delivered now. */
  own(handlers: ThreadHandlers): void {
    this.#handlers = handlers;
    for (const event of this.#early.splice(0)) handlers.event(event);
    if (this.#isGone) handlers.gone(this.#error);
  }

  /** Gives the thread's socket another path; whatever is there is replaced. */
  takeSocket(path: string): void {
    renameSync(this.#socketPath, path);
  }

  /**
   * Its pod is over and drained: the thread is nobody's, and listens at `socketPath` for the next one.
   * @returns false when it serves no other pod, or has not answered after `timeoutMs`: it is to be ended then
   */
  async rest(socketPath: string, clock: Clock, timeoutMs: number): Promise<boolean> {
    if (this.#isGone) return false;
    this.#handlers = undefined;
    this.#socketPath = socketPath;
    const { promise, resolve } = Promise.withResolvers<readonly string[] | undefined>();
    this.#rested = resolve;
    const timer = clock.after(timeoutMs, () => resolve(undefined));
    this.send({ type: "rest", socketPath });
    const parked = await promise;
    timer.cancel();
    this.#rested = undefined;
    if (parked === undefined) return false;
    this.#parked = parked;
    this.#hasRested = true;
    this.#claim.giveBack();
    return this.#countFromHere();
  }

  /** What the thread has used so far is none of the next pod's. */
  async #countFromHere(): Promise<boolean> {
    // What it has said is heard when it may have ended: then nobody can ask it.
    const usedMs = await this.cpuMs().catch(() => undefined);
    if (usedMs === undefined) return false;
    this.#cpuBeforeMs += usedMs;
    return !this.#isGone;
  }

  /** Its socket is there, and waits for a pod. One that is new may take a moment. */
  get listens(): boolean {
    return this.#listens;
  }

  /** It has served a pod. */
  get hasRested(): boolean {
    return this.#hasRested;
  }

  /** While it is nobody's: whether a component is parked there under this key. */
  hasParked(key: string): boolean {
    return this.#parked.includes(key);
  }

  /** Has the component of a pod parked in a thread that has had none yet. */
  park(start: ThreadStart, modules: CompiledModules, { practises }: { readonly practises: boolean }): void {
    this.send({ type: "park", start, modules, practises });
  }

  /** While it is nobody's: has the component of this pod practise that is parked there. */
  practise(start: ThreadStart): void {
    this.send({ type: "practise", start });
  }

  #haveParked(keys: readonly string[]): void {
    if (this.#handlers !== undefined) return;
    this.#parked = keys;
    void this.#countFromHere();
    this.#options.parked?.();
  }

  /** While it is nobody's: it is its owner's from now on. @returns false when it has become a pod by itself */
  claim(): boolean {
    return this.#claim.take();
  }

  /** While it is nobody's: it becomes this pod, whose component is parked there, when somebody connects to its socket. */
  standBy(standby: Omit<Extract<ThreadCommand, { type: "stand-by" }>, "type">): void {
    this.send({ type: "stand-by", ...standby });
  }

  /** Resolves when it does not stand by for this pod any more: `woken` has been told by then if it has become it. */
  async withdraw(uid: string): Promise<void> {
    if (this.#isGone) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#withdrawals.set(uid, resolve);
    this.send({ type: "withdraw", uid });
    await promise;
    this.#withdrawals.delete(uid);
  }

  send(command: ThreadCommand): void {
    this.#worker.postMessage(command, []);
  }

  /**
   * By how much the request that a guest is at work for is over its deadline, milliseconds; of all requests where no guest
   * is. Negative while there is time.
   */
  overdueMs(): number {
    return sharedNowMs() - this.deadline;
  }

  /** When that is, as `sharedNowMs` has it. */
  get deadline(): number {
    return this.#slots[this.running === 0 ? slot.deadline : slot.runningDeadline] ?? Number.POSITIVE_INFINITY;
  }

  /** The number of the call that a guest is at work for; 0 when none is. */
  get running(): number {
    return this.#slots[slot.running] ?? 0;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** The id of that one's request: see `requestNumber`. */
  get runningId(): number {
    return this.running === 0 ? 0 : (this.#slots[slot.runningId] ?? 0);
  }

  /** Takes hold of where the caller of this call is told of its end; undefined when a guest is not at work for it. */
  lastWord(number: number): LastWord | undefined {
    if (number === 0 || this.running !== number) return undefined;
    const stream = this.#slots[slot.runningStream] ?? 0;
    return LastWord.take(this.#slots[slot.runningSocket] ?? 0, (code, message) => encodeAbort(stream, code, message));
  }

  /** CPU time that the thread has used, since it last rested. Where `ownMs` is not known, not answered while it is in one long instruction. */
  async cpuMs(): Promise<number> {
    return (this.ownMs ?? (await this.#answeredMs())) - this.#cpuBeforeMs;
  }

  /** CPU time that the thread has used, as the kernel counts it; undefined where that cannot be read, and when it is gone. */
  get ownMs(): number | undefined {
    const thread = this.#slots[slot.thread] ?? 0;
    return thread === 0 || this.#isGone ? undefined : threadClock?.cpuMs(thread);
  }

  async #answeredMs(): Promise<number> {
    const { user, system } = await this.#worker.cpuUsage();
    return (user + system) / 1000;
  }

  /** What it holds. Answers late, or never, while a guest does not give it back. */
  memoryBytes(): Promise<number> {
    if (this.#measured === undefined) {
      this.#measured = Promise.withResolvers<number>();
      this.send({ type: "measure" });
    }
    return this.#measured.promise;
  }

  #haveMeasured(bytes: number): void {
    this.#measured?.resolve(bytes);
    this.#measured = undefined;
  }

  /** The guest that is at work for this call ends when it next calls out. */
  stop(number: number, code: StopCode): void {
    this.#slots[slot.stopCode] = stopCodes.indexOf(code);
    this.#slots[slot.stop] = number;
  }

  /** Takes what runs off the thread; see interrupt-thread.ts. */
  interrupt(): void {
    interruptThread(this.#worker);
  }

  /** Ends the thread. @returns false when it is not gone after `timeoutMs`: only the end of the process helps then. */
  async terminate(clock: Clock, timeoutMs: number): Promise<boolean> {
    let timer: Timer | undefined;
    const late = new Promise<false>((resolve) => {
      timer = clock.after(timeoutMs, () => resolve(false));
    });
    const outcome = await Promise.race([this.end(), late]);
    timer?.cancel();
    return outcome !== false;
  }

  /** Ends the thread. Resolves when it is gone; never, when it is in one endless instruction. */
  async end(): Promise<undefined> {
    if (!this.#isGone) await this.#worker.terminate();
  }
}
