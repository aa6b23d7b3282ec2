import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { askControl, controlSocketPath, type ProgramStatus, SuperviseFault } from "../../supervise/index.ts";
import type { Context } from "../context.ts";

export interface PlatformStatus {
  readonly pid: number;
  readonly programs: readonly ProgramStatus[];
}

/** @throws SuperviseFault NOT_RUNNING */
export async function platformStatus(dataDirectory: string): Promise<PlatformStatus> {
  const answer = await askControl(controlSocketPath(dataDirectory), { command: "status" });
  return answer as PlatformStatus;
}

/** A platform starts in a second or two; on a loaded machine in ten. */
const upTimeoutMs = 60_000;
const pollMs = 50;

/** @throws SuperviseFault START_FAILED with the last lines of its log */
export async function waitUntilUp(
  context: Context,
  { dataDirectory, programCount }: { readonly dataDirectory: string; readonly programCount: number },
  ended: Promise<unknown>,
): Promise<void> {
  const state = { over: false };
  void ended.then(() => (state.over = true));
  const untilMs = context.clock.nowMs() + upTimeoutMs;
  while (!state.over && context.clock.nowMs() < untilMs) {
    const status = await platformStatus(dataDirectory).catch(() => undefined);
    const ready = status?.programs.filter((program) => program.state === "ready") ?? [];
    if (ready.length === programCount) return;
    await context.clock.sleep(pollMs);
  }
  const log = await readFile(join(dataDirectory, "up.log"), "utf8").catch(() => "");
  const last = log.trim().split("\n").slice(-5).join("\n");
  throw new SuperviseFault(
    "START_FAILED",
    `the platform did not come up; the end of ${join(dataDirectory, "up.log")} is:\n${last}`,
  );
}
