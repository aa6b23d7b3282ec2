import { Worker } from "node:worker_threads";
import { BuildFault, type BuildFaultCode } from "../fault.ts";
import { quickJsBase } from "./quickjs-base.ts";
import { topLevelMsUsual } from "./top-level.ts";

export interface PreInitializeTask {
  readonly base: Uint8Array;
  readonly script: string;
}

export type PreInitializeOutcome =
  | { readonly component: Uint8Array }
  | { readonly code: BuildFaultCode; readonly message: string };

/** A component of `script`, which is one bundled script. @throws BuildFault FUNCTION_INVALID */
export async function buildWithQuickJs(
  script: string,
  cacheDirectory: string,
  topLevelMsMax = topLevelMsUsual,
): Promise<Uint8Array> {
  const workerData: PreInitializeTask = { base: await quickJsBase(cacheDirectory), script };
  const worker = new Worker(new URL("pre-initialize-worker.ts", import.meta.url), { workerData });
  const { promise, resolve, reject } = Promise.withResolvers<PreInitializeOutcome>();
  worker.once("message", resolve);
  worker.once("error", reject);
  const message = `the function's top level did not end within ${topLevelMsMax / 1000} seconds`;
  const deadline = AbortSignal.timeout(topLevelMsMax);
  deadline.addEventListener("abort", () => reject(new BuildFault("FUNCTION_INVALID", message)));
  try {
    const outcome = await promise;
    if ("code" in outcome) throw new BuildFault(outcome.code, outcome.message);
    return outcome.component;
  } finally {
    await worker.terminate();
  }
}
