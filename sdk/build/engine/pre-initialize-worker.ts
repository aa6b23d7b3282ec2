import { parentPort, workerData } from "node:worker_threads";
import { BuildFault } from "../fault.ts";
import { preInitialize } from "./pre-initialize.ts";
import type { PreInitializeTask, PreInitializeOutcome } from "./quickjs.ts";

// A thread by itself: a top level that never ends can only be ended from outside.

const { base, script } = workerData as PreInitializeTask;
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
parentPort?.postMessage(await outcome());

async function outcome(): Promise<PreInitializeOutcome> {
  try {
    return { component: await preInitialize(base, script) };
  } catch (error) {
    if (!(error instanceof BuildFault)) throw error;
    return { code: error.code, message: error.message };
  }
}
