import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { askControl, controlSocketPath, lockHolder, SuperviseFault } from "../../supervise/index.ts";
import type { Context } from "../context.ts";
import { agentMain } from "./programs.ts";

/** Its pods have their grace, and each program half a minute more. */
const downTimeoutMs = 120_000;
const pollMs = 50;

/** `shallop down`: stops a running platform; after one that was killed, removes what it left. */
export async function down(context: Context, dataDirectory: string): Promise<void> {
  const holder = lockHolder(dataDirectory);
  if (holder === undefined) {
    if (!existsSync(dataDirectory))
      return context.print(`nothing runs, and nothing is left: there is no ${dataDirectory}`);
    await cleanUp(dataDirectory);
    context.print("nothing was running; what an earlier run had left is removed");
    return;
  }
  const progress = context.progress();
  try {
    progress.step("stopping the platform");
    await askControl(controlSocketPath(dataDirectory), { command: "down" });
    const untilMs = context.clock.nowMs() + downTimeoutMs;
    while (lockHolder(dataDirectory) !== undefined) {
      if (context.clock.nowMs() > untilMs) {
        throw new SuperviseFault(
          "START_FAILED",
          `process ${holder} has not ended within ${downTimeoutMs / 1000} s; end it with kill -9 ${holder} and call shallop down again`,
        );
      }
      await context.clock.sleep(pollMs);
    }
  } finally {
    progress.done();
  }
  context.print("stopped");
}

/** The node agent knows what belongs to the node: it takes it over and stops it. */
async function cleanUp(dataDirectory: string): Promise<void> {
  const child = spawn(process.execPath, [agentMain, "--data", dataDirectory, "--clean-up"], { stdio: "ignore" });
  await once(child, "exit");
}
