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
}

/** Ends this process by SIGALRM after `timeoutMs`, whatever its main thread is doing then; for the caller that is 124. */
export function limitTime(timeoutMs: number): void {
  const message = `error: the guest did not end within ${timeoutMs} ms; give it more time with --timeout\n`;
  const limit: TimeLimit = { endMs: sharedNowMs() + timeoutMs, message };
  new Worker(program, { workerData: limit, env: {} }).unref();
}
