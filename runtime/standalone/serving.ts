import { breachText, type Clock, systemRandom } from "@shallop/sdk/internal";
import { duplicate, stopListening } from "../sandbox/kernel/descriptors.ts";
import type { ServeData } from "./serve-protocol.ts";
import { ServingThread } from "./serving-thread.ts";

export interface ServeOptions {
  readonly clock: Clock;
  readonly stop: AbortSignal;
  /** For people, on standard output and error. */
  readonly print: (text: string) => void;
  readonly complain: (text: string) => void;
  /** Ends this process at once: an orderly end waits for its threads. */
  readonly kill: () => void;
}

// How often the watchdog looks, and what it allows a thread beyond a deadline: its own timer ends a request first.
const watchMs = 25;
const graceMs = 100;
// A thread that is stuck this long in spite of interrupts is ended, with all its connections.
const stuckMsMax = 1500;
const interruptEveryMs = 250;
// An interrupt may leave a little behind in the thread: an instance, a place at the gate. One with so many is done.
const interruptsMax = 100;
// The thread's own drain has 10 s; one that is stuck does not hear of the stop.
const stopTimeoutMs = 12_000;
// A thread that cannot be ended inside a guest's instruction: only the end of the process helps.
const terminateTimeoutMs = 1000;

/** Serves a component until `stop`. @throws StandaloneFault */
export async function serveProgram(data: ServingData, options: ServeOptions): Promise<void> {
  if (options.stop.aborted) return;
  await new Serving(data, options).run();
}

/** What is to be served, and where: on the address of the flags, or on a socket that listens there. */
interface ServingData extends Omit<ServeData, "slots" | "answers" | "socket"> {
  /** Descriptor of the socket. */
  readonly listener?: number;
}

/** Keeps one serving thread at work: interrupted when a guest is stuck in it, replaced when that is not enough. */
class Serving {
  readonly #options: ServeOptions;
  #data: ServingData;
  #thread: ServingThread;
  #interrupts = 0;
  #interruptedMs = Number.NEGATIVE_INFINITY;
  #replacing = false;

  constructor(data: ServingData, options: ServeOptions) {
    this.#data = data;
    this.#options = options;
    this.#thread = this.#makeThread();
  }

  /** Each closes its own descriptor of the socket. */
  #makeThread(): ServingThread {
    const { listener, ...data } = this.#data;
    return new ServingThread(listener === undefined ? data : { ...data, socket: duplicate(listener) });
  }

  async run(): Promise<void> {
    const { clock, stop, print } = this.#options;
    const { flags } = this.#data;
    const port = await this.#thread.listening();
    const { host } = flags.address;
    print(`${flags.file} answers at http://${host.includes(":") ? `[${host}]` : host}:${port}`);
    // Whoever takes over listens on the same port, also when any free one was asked for.
    this.#data = { ...this.#data, flags: { ...flags, address: { host, port } } };
    const watch = clock.every(watchMs, () => void this.#watch());
    // It may have been told while it started.
    if (stop.aborted) this.#stop();
    else stop.addEventListener("abort", () => this.#stop(), { once: true });
    try {
      await this.#whileThreads();
    } finally {
      watch.cancel();
    }
  }

  #stop(): void {
    const { listener } = this.#data;
    this.#thread.stop();
    if (listener !== undefined) stopListening(listener);
    this.#options.clock.after(stopTimeoutMs, () => void this.#thread.terminate());
  }

  /** Until a thread has ended because it was asked to. */
  async #whileThreads(): Promise<void> {
    const { stop, complain } = this.#options;
    for (;;) {
      const error = await this.#thread.gone;
      if (stop.aborted) return;
      if (!this.#replacing) complain(`the serving thread died and is replaced: ${error?.message ?? "it ended"}`);
      this.#replacing = false;
      this.#interrupts = 0;
      this.#thread = this.#makeThread();
      await this.#thread.listening();
    }
  }

  async #watch(): Promise<void> {
    const { clock, complain } = this.#options;
    const overdueMs = this.#thread.overdueMs();
    if (this.#replacing || overdueMs < graceMs) return;
    if (overdueMs > stuckMsMax || this.#interrupts >= interruptsMax) {
      this.#replacing = true;
      complain("a guest does not give its thread back; the thread is replaced");
      this.#answerAll();
      const late = clock.sleep(terminateTimeoutMs).then(() => "late" as const);
      const isLate = (await Promise.race([this.#thread.terminate(), late])) === "late";
      if (isLate)
        complain(
          "a guest cannot be stopped, so the process that serves is killed; --max-memory keeps single steps short",
        );
      return isLate ? this.#options.kill() : undefined;
    }
    if (clock.nowMs() - this.#interruptedMs < interruptEveryMs) return;
    this.#interruptedMs = clock.nowMs();
    this.#interrupts++;
    this.#thread.interrupt();
  }

  #answerAll(): void {
    const { complain } = this.#options;
    const [requestId, otherId] = [systemRandom.uuid(), systemRandom.uuid()];
    const { isRunningTold, others } = this.#thread.answerAll(requestId, otherId);
    const message = breachText("requestTimeoutMs", this.#data.flags.timeoutMs);
    if (isRunningTold) complain(`request ${requestId} failed: ${message}`);
    if (others > 0) complain(`requests ${otherId} failed, ${others} of them: they were lost with the thread`);
  }
}
