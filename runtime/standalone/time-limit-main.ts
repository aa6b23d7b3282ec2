// A thread that sleeps until the guest's time is over. The main thread may be inside the guest then, so this one ends
// the process: SIGALRM has no handler, and needs none.
import { writeSync } from "node:fs";
import { workerData } from "node:worker_threads";
import { endAtOnce } from "../sandbox/kernel/close-system-calls.ts";
import { sharedNowMs } from "../host/thread-protocol.ts";
import type { TimeLimit } from "./time-limit.ts";

const { endMs, message, exitCode } = workerData as TimeLimit;
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Math.max(0, endMs - sharedNowMs()));
writeSync(2, message);
if (exitCode !== undefined) endAtOnce(exitCode);
process.kill(process.pid, "SIGALRM");
