import { rmSync } from "node:fs";
import { breachText, type Clock, describeError, Fault } from "@shallop/sdk/internal";
import { CapError } from "../component/core-module/cap-error.ts";
import { inDirectory } from "../component/prepared-files.ts";
import type { ArtifactCache } from "./artifact-cache.ts";
import type { HostMessage, HostPod, HostRefusal } from "./control-protocol.ts";
import { CpuMeter } from "./cpu-meter.ts";
import { parkingKey } from "./parked-components.ts";
import type { PodThread } from "./pod-thread.ts";
import { type PodUse, PodUseMeter } from "./pod-use.ts";
import type { PodOver } from "./spare-threads.ts";
import { ThreadTime } from "./thread-time.ts";
import { requestNumber, type ThreadCommand, type ThreadEvent, type ThreadStart } from "./thread-protocol.ts";

export class StartFault extends Fault<HostRefusal> {}

/** What a thread is told that becomes this pod. */
export function threadStartOf(pod: HostPod): ThreadStart {
  const { uid, preparedDir, env, limits, egressAllowed, egressSocket, directories } = pod;
  return { type: "start", uid, preparedDir, env, limits, egressAllowed, egressSocket, directories };
}

export interface HostedPodSettings {
  readonly pod: HostPod;
  readonly clock: Clock;
  readonly artifacts: ArtifactCache;
  /** A thread that has the engine loaded, or will have soon; the pod's component, too, if there is one that has. */
  readonly takeThread: (parkingKey: string) => PodThread;
  /** Takes back one whose pod has drained. @returns false when it is to be ended */
  readonly restThread: (thread: PodThread, over: PodOver) => Promise<boolean>;
  readonly tell: (message: HostMessage) => void;
  /** It has answered its first request. */
  readonly served: () => void;
  /** A limit was met by a guest whose thread could not say so any more. */
  readonly breached: (code: string) => void;
  /** The process has few memories left. */
  readonly memoriesScarce: () => void;
  /** The pod ended by itself. */
  readonly ended: (uid: string) => void;
  /** A thread did not stop: the process must end. */
  readonly wedged: (uid: string, message: string) => void;
}

/** A thread that is not gone this long after it was told to is stuck in one instruction of the guest. */
export const terminateTimeoutMs = 250;
// A guest that calls out at all does so within this time.
const stopTimeoutMs = 25;
// A guest is off its thread some milliseconds after the interrupt, on a busy machine some ten.
const interruptTimeoutMs = 200;
// A thread at which no guest is at work ends when it comes to it: where many are busy, that is not soon, and nobody waits for it.
const idleEndMs = 5_000;
// The thread itself ends requests whose time is up; one that has had the processor for as long as this and has not does not turn its
// event loop.
const overdueMsMax = 100;
// The thread hears of a client that has gone within a turn of its event loop.
const abandonedGraceMs = 250;
// Requests whose clients have gone and that may still get the thread: more than run at once in a pod.
const abandonedMax = 1_000;
// A pod whose threads die again and again is broken: the agent is to restart it, with its backoff.
const replacementsMax = 5;

type Interruption = Omit<Extract<ThreadCommand, { type: "interrupted" }>, "type">;

const noticeReason = { GUEST_CPU: "GuestCpu", GUEST_TIMEOUT: "GuestTimeout" } as const;

function processCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** A pod in this process: the thread that serves it, replaced when a guest does not give it back. */
export class HostedPod {
  readonly #settings: HostedPodSettings;
  #thread: PodThread | undefined;
  #onEvent: ((event: ThreadEvent) => void) | undefined;
  #stopping = false;
  /** A guest is being taken off the thread. */
  #stuck = false;
  /** Whether the thread serves on after the interrupt; undefined until it has said so. */
  #recovered: boolean | undefined;
  #cpu: CpuMeter | undefined;
  #time: ThreadTime | undefined;
  readonly #use: PodUseMeter;
  /** Requests whose clients have gone, by their numbers. */
  readonly #abandoned = new Set<number>();
  /** Since when a guest has been seen at work for one of them, and nothing else. */
  #abandonedWork: { readonly number: number; readonly sinceMs: number } | undefined;
  #replacements = 0;
  #hasServed = false;

  constructor(settings: HostedPodSettings) {
    this.#settings = settings;
    this.#use = new PodUseMeter({ clock: settings.clock, processMs: processCpuMs });
  }

  get pod(): HostPod {
    return this.#settings.pod;
  }

  /** Resolves when the pod's socket takes connections. @throws StartFault */
  async start(): Promise<void> {
    const { pod, artifacts } = this.#settings;
    const thread = this.#settings.takeThread(parkingKey(pod));
    this.#serveIn(thread);
    const loaded = this.#loaded(thread);
    // Nobody waits for it when the modules cannot be had.
    loaded.catch(() => undefined);
    thread.send(threadStartOf(pod));
    try {
      const modules = artifacts.modules(pod.componentDigest, inDirectory(pod.preparedDir), pod.limits);
      const glueCache = artifacts.glueCache(pod.componentDigest);
      thread.send({ type: "modules", modules, ...(glueCache === undefined ? {} : { glueCache }) });
      // A guest may come up with one environment, or within some limits, and not with others.
      const started = `${pod.componentDigest} ${JSON.stringify([pod.env, pod.limits])}`;
      if (artifacts.isProven(started) && thread.listens) {
        // It has come up before. Whoever connects waits until it does again; a thread in which it does not is replaced.
        loaded.catch(() => void thread.terminate(this.#settings.clock, terminateTimeoutMs));
      } else {
        await loaded;
        artifacts.prove(started);
      }
      thread.takeSocket(pod.socketPath);
    } catch (error) {
      this.#stopping = true;
      await thread.terminate(this.#settings.clock, terminateTimeoutMs);
      if (error instanceof StartFault) throw error;
      const code = error instanceof CapError ? "EXITED" : "IMAGE_INVALID";
      throw new StartFault(code, `pod ${pod.name} could not start: ${describeError(error)}`, { cause: error });
    }
  }

  /** A thread that stood by for it has become it, for somebody who has connected. One in which it does not come up is replaced. */
  woken(thread: PodThread): void {
    this.#serveIn(thread);
    this.#loaded(thread).catch(() => void thread.terminate(this.#settings.clock, terminateTimeoutMs));
  }

  #serveIn(thread: PodThread): void {
    this.#thread = thread;
    this.#time = this.#timeOf(thread);
    this.#cpu = new CpuMeter({
      nowMs: () => this.#settings.clock.nowMs(),
      threadMs: () => thread.cpuMs(),
      processMs: processCpuMs,
    });
  }

  /** Lets the pod finish, for `graceMs` at most, and ends it. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    const thread = this.#thread;
    if (thread === undefined) return;
    const hasDrained = !thread.isGone && graceMs > 0 && (await this.#drained(thread, graceMs));
    rmSync(this.pod.socketPath, { force: true });
    const over = { pod: this.pod, hasServed: this.#hasServed };
    if (hasDrained && (await this.#settings.restThread(thread, over))) {
      this.#thread = undefined;
      return;
    }
    const refusal = await this.#terminate(thread, thread.running === 0 ? idleEndMs : terminateTimeoutMs);
    if (refusal !== undefined) this.#settings.wedged(this.pod.uid, refusal);
  }

  /** Frees memories that nobody has any more. */
  collect(): void {
    this.#thread?.send({ type: "collect" });
  }

  /** What it has used so far; undefined while it has no thread. */
  async use(): Promise<PodUse | undefined> {
    const thread = this.#thread;
    if (thread === undefined || thread.isGone) return undefined;
    return { uid: this.pod.uid, ...(await this.#use.read(thread)) };
  }

  /** For the watchdog, each `lookMs`. */
  check(): void {
    const thread = this.#thread;
    if (thread === undefined || this.#stopping || this.#stuck) return;
    const { cpuTimeMs, requestTimeoutMs } = this.pod.limits;
    const number = thread.running;
    this.#cpu?.look(number);
    if (number !== 0 && (this.#cpu?.usedMs(number) ?? 0) > cpuTimeMs) {
      void this.#free(thread, { number, code: "GUEST_CPU", message: breachText("cpuTimeMs", cpuTimeMs) });
    } else if (this.#time?.isOverdue(overdueMsMax) === true) {
      const message = breachText("requestTimeoutMs", requestTimeoutMs);
      void this.#free(thread, { number, code: "GUEST_TIMEOUT", message });
    } else if (this.#isAtWorkForNobody(thread, number)) {
      const message = "A request whose client has gone did not give the thread back; it was stopped.";
      this.#notice("GuestCancelled", message);
      this.#log(`shallop: ${message}`);
      void this.#free(thread, { number, code: "CANCELLED", message });
    }
  }

  /**
   * Clients of these requests have gone. A guest that waits is told by its thread; one that is at work for such a request, now or
   * later, and still is after a moment, does not give its thread back: it is stopped.
   */
  abandoned(requestIds: readonly string[]): void {
    for (const id of requestIds) this.#abandoned.add(requestNumber(id));
    for (const oldest of this.#abandoned) {
      if (this.#abandoned.size <= abandonedMax) break;
      this.#abandoned.delete(oldest);
    }
  }

  #isAtWorkForNobody(thread: PodThread, number: number): boolean {
    if (this.#abandoned.size === 0 || !this.#abandoned.has(thread.runningId)) {
      this.#abandonedWork = undefined;
      return false;
    }
    const nowMs = this.#settings.clock.nowMs();
    if (this.#abandonedWork?.number !== number) this.#abandonedWork = { number, sinceMs: nowMs };
    return nowMs - this.#abandonedWork.sinceMs >= abandonedGraceMs;
  }

  /**
   * Ends what a guest is at work for, in steps: when it calls out next; by taking it off the thread; with the thread; with the
   * process.
   */
  async #free(thread: PodThread, { number, code, message }: Interruption): Promise<void> {
    this.#stuck = true;
    this.#recovered = undefined;
    const time = this.#timeOf(thread);
    const isFree = (): boolean => this.#recovered === true || (number !== 0 && thread.running !== number);
    if (code !== "CANCELLED") {
      thread.stop(number, code);
      await time.until(isFree, stopTimeoutMs);
    }
    if (!isFree()) {
      thread.interrupt();
      thread.send({ type: "interrupted", number, code, message });
      // A thread with a crowd of requests is at work for another one before it hears of this.
      await time.until(() => isFree() || this.#recovered === false, interruptTimeoutMs);
    }
    if (!isFree() && !this.#stopping) {
      if (code !== "CANCELLED") {
        this.#settings.breached(code);
        this.#notice(noticeReason[code], message);
      }
      this.#log(`shallop: ${message} It did not give the thread back; the thread was ended.`);
      await this.#replace(thread, { number, code, message });
    }
    this.#stuck = false;
  }

  /** @returns undefined when the thread has ended; why it is given up, when it had the processor for as long as that takes */
  async #terminate(thread: PodThread, timeoutMs: number): Promise<string | undefined> {
    const wait = this.#timeOf(thread).until(() => thread.isGone, timeoutMs);
    const had = await Promise.race([thread.end(), wait]);
    return had === undefined || thread.isGone ? undefined : `Its thread did not end, and had ${had}`;
  }

  #timeOf(thread: PodThread): ThreadTime {
    return new ThreadTime(thread, { clock: this.#settings.clock, processMs: processCpuMs });
  }

  async #replace(thread: PodThread, { number, code, message }: Interruption): Promise<void> {
    const lastWord = thread.lastWord(number);
    const refusal = await this.#terminate(thread, terminateTimeoutMs);
    lastWord?.say(code, message);
    if (refusal === undefined) await this.#startAgain("its thread was stopped");
    else this.#settings.wedged(this.pod.uid, `${message} ${refusal}`);
  }

  async #startAgain(why: string): Promise<void> {
    if (this.#stopping) return;
    this.#replacements++;
    if (this.#replacements > replacementsMax) return this.#exit(`${why}, for the ${this.#replacements}th time`);
    try {
      await this.start();
    } catch (error) {
      this.#exit(`${why}, and the pod could not be started again: ${describeError(error)}`);
    }
  }

  #loaded(thread: PodThread): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#onEvent = (event) => {
        if (event.type === "loaded") resolve();
        if (event.type === "failed") reject(new StartFault(event.code, event.message));
      };
      thread.own({
        event: (event) => this.#receive(event),
        gone: (error) => {
          reject(new StartFault("EXITED", `the pod's thread ended: ${describeError(error)}`));
          this.#gone(thread, error);
        },
      });
    });
  }

  #receive(event: ThreadEvent): void {
    if (event.type === "logged") this.#settings.tell({ type: "logged", uid: this.pod.uid, lines: event.lines });
    else if (event.type === "served") this.#served();
    else if (event.type === "glue-cache")
      this.#settings.artifacts.keepGlueCache(this.pod.componentDigest, event.glueCache);
    else if (event.type === "interrupted") this.#recovered = event.isWell;
    else if (event.type === "memories-scarce") this.#settings.memoriesScarce();
    else if (event.type === "noticed") this.#notice(event.reason, event.message);
    else this.#onEvent?.(event);
  }

  #served(): void {
    this.#hasServed = true;
    this.#settings.served();
  }

  /** @returns false when its time was over first */
  #drained(thread: PodThread, graceMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = this.#settings.clock.after(graceMs, () => resolve(false));
      this.#onEvent = (event) => {
        if (event.type !== "drained") return;
        timer.cancel();
        resolve(true);
      };
      thread.send({ type: "drain" });
    });
  }

  /** The thread died and nobody asked it to: V8 ran out of heap, or a bug of ours. */
  #gone(thread: PodThread, error: Error | undefined): void {
    if (this.#stopping || this.#stuck || thread !== this.#thread) return;
    const message = `its thread ended: ${error === undefined ? "without a word" : error.message}`;
    this.#notice("ThreadEnded", message);
    this.#log(`shallop: ${message}`);
    void this.#startAgain(message);
  }

  #exit(message: string): void {
    this.#stopping = true;
    rmSync(this.pod.socketPath, { force: true });
    const reason = /memory/i.test(message) ? "OOMKilled" : "Error";
    this.#settings.tell({ type: "exited", uid: this.pod.uid, exit: { exitCode: 1, reason, message } });
    this.#settings.ended(this.pod.uid);
  }

  #notice(reason: string, message: string): void {
    this.#settings.tell({ type: "noticed", uid: this.pod.uid, severity: "Warning", reason, message });
  }

  #log(text: string): void {
    const line = { wallMs: this.#settings.clock.wallMs(), stream: "stderr", text, partial: false } as const;
    this.#settings.tell({ type: "logged", uid: this.pod.uid, lines: [line] });
  }
}
