import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { interruptThread } from "../host/interrupt-thread.ts";
import { freshSlots, sharedNowMs, slot } from "../host/thread-protocol.ts";
import { lastAnswer } from "./http/fault-answer.ts";
import { answerAll, answerTable } from "./http/open-answers.ts";
import type { ServeCommand, ServeData, ServeEvent } from "./serve-protocol.ts";
import { StandaloneFault } from "./standalone-fault.ts";

const program = fileURLToPath(new URL("serve-thread-main.ts", import.meta.url));

// JavaScript heap of the thread: handles and buffers of all its requests. With a limit of its own it dies alone.
const heapMb = 1024;

/** The main thread's end of the serving thread. */
export class ServingThread {
  /** Resolves when the thread is gone, with what it died of. */
  readonly gone: Promise<Error | undefined>;
  readonly #worker: Worker;
  readonly #slots = freshSlots();
  readonly #answers = answerTable();
  readonly #listening: Promise<number>;

  constructor(data: Omit<ServeData, "slots" | "answers">) {
    // Its environment is empty: what a guest gets is in `data`.
    this.#worker = new Worker(program, {
      workerData: { ...data, slots: this.#slots, answers: this.#answers } satisfies ServeData,
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: heapMb },
    });
    let error: Error | undefined;
    this.#worker.once("error", (thrown: unknown) => {
      error = thrown instanceof Error ? thrown : new Error(String(thrown));
    });
    this.gone = new Promise((resolve) => this.#worker.once("exit", () => resolve(error)));
    this.#listening = this.#whenListening(data.flags.address);
    this.#listening.catch(() => undefined);
  }

  /** Resolves with its port. @throws StandaloneFault ADDRESS_UNUSABLE, THREAD_FAILED */
  listening(): Promise<number> {
    return this.#listening;
  }

  /** By how much its most urgent request is over its deadline; the thread is stuck if that is not soon negative. */
  overdueMs(): number {
    return sharedNowMs() - (this.#slots[slot.deadline] ?? Number.POSITIVE_INFINITY);
  }

  /**
   * Tells all callers who wait for an answer of this thread that there will be none: it is stuck, and will be ended. The one that a guest
   * is at work for under `requestId`, the others under `otherId`, which the thread's own log does not have.
   * @returns who was told
   */
  answerAll(requestId: string, otherId: string): { readonly isRunningTold: boolean; readonly others: number } {
    const running = this.#slots[slot.runningSocket] ?? 0;
    let isRunningTold = false;
    const count = answerAll(this.#answers, (descriptor, isHead) => {
      if (descriptor !== running) return lastAnswer("CONNECTION_LOST", otherId, isHead);
      isRunningTold = true;
      return lastAnswer("GUEST_TIMEOUT", requestId, isHead);
    });
    return { isRunningTold, others: isRunningTold ? count - 1 : count };
  }

  interrupt(): void {
    interruptThread(this.#worker);
  }

  /** In order: requests that run are answered. */
  stop(): void {
    const command: ServeCommand = { type: "stop" };
    this.#worker.postMessage(command, []);
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  #whenListening({ host, port }: { readonly host: string; readonly port: number }): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#worker.once("message", (event: ServeEvent) => {
        if (event.type === "listening") resolve(event.port);
        else reject(cannotServe(`${host}:${port}`, event));
      });
      void this.gone.then((error) => {
        reject(
          new StandaloneFault(
            "THREAD_FAILED",
            `the serving thread ended while it started: ${error?.message ?? "no reason"}`,
          ),
        );
      });
    });
  }
}

const problems: Readonly<Record<string, string>> = {
  EADDRINUSE: "something else listens there; choose another one with --addr HOST:PORT",
  EACCES: "this user may not; choose a port above 1023 with --addr HOST:PORT",
  EADDRNOTAVAIL: "this machine has no such address; choose another one with --addr HOST:PORT",
  ENOTFOUND: "the host name has no address; choose another one with --addr HOST:PORT",
};

/** @param address as the user wrote it */
export function cannotServe(
  address: string,
  { code, message }: Extract<ServeEvent, { type: "failed" }>,
): StandaloneFault {
  const problem = problems[code ?? ""];
  if (problem === undefined) return new StandaloneFault("THREAD_FAILED", `the component cannot be served: ${message}`);
  return new StandaloneFault("ADDRESS_UNUSABLE", `cannot listen on ${address}: ${problem}`);
}
