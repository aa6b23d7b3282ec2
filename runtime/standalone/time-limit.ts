import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { sharedNowMs } from "../host/thread-protocol.ts";

const program = fileURLToPath(new URL("time-limit-main.ts", import.meta.url));

/** For time-limit-main.ts. */
export interface TimeLimit {
  /** By `sharedNowMs`. */
  readonly endMs: number;
  /** For standard error. */
  readonly message: string;
  /** Instead of the signal. */
  readonly exitCode: number | undefined;
}

/**
 * Ends this process by SIGALRM after `timeoutMs`, whatever its main thread is doing then; for the caller that is 124.
 * `problem` is said before, with what to do. With `exitCode` it
 * ends with that instead.
 */
export function limitTime(timeoutMs: number, problem: string, exitCode?: number): void {
  const limit: TimeLimit = { endMs: sharedNowMs() + timeoutMs, message: `error: ${problem}\n`, exitCode };
  new Worker(program, { workerData: limit, env: {} }).unref();
}
