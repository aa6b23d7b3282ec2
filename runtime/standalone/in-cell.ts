import { Socket } from "node:net";
import { type Clock, systemClock } from "@shallop/sdk/internal";
import { addressJudge } from "../component/egress/address-judge.ts";
import type { Egress } from "../component/egress/egress.ts";
import { ProxiedEgress } from "../component/egress/proxied-egress.ts";
import { inDirectory } from "../component/prepared-files.ts";
import { closeSystemCalls, endAtOnce } from "../sandbox/kernel/close-system-calls.ts";
import {
  type CellTask,
  listenerDescriptor,
  moduleInCell,
  preparedInCell,
  readTask,
  taskDescriptor,
} from "./cell-task.ts";
import { allowListEgress } from "./host-egress.ts";
import { loadProgram } from "./prepared-program.ts";
import { readProgram } from "./program-file.ts";
import { runComponent } from "./run-component.ts";
import { runModule } from "./run-module.ts";
import { serveProgram } from "./serving.ts";
import { stopOnSignals } from "./stop-on-signals.ts";

type RunTask = Extract<CellTask, { kind: "run" }>;

export interface InCellOptions {
  readonly starting: (timeoutMs: number | undefined) => void;
  readonly print: (text: string) => void;
  readonly complain: (text: string) => void;
}

/** What runs in a cell: see program-cell.ts. @returns the exit code */
export async function runTask(options: InCellOptions): Promise<number> {
  const task = readTask();
  const { flags } = task;
  const starting = (): void => options.starting(task.kind === "serve" ? undefined : task.flags.timeoutMs);
  if (task.kind === "module") {
    const module = await readProgram(moduleInCell);
    close(task);
    return runModule({ ...module, path: flags.file }, task.flags, starting);
  }
  const { componentDigest, hosts } = task;
  const pod = task.kind === "run" ? task.pod : undefined;
  const program = loadProgram(inDirectory(pod?.preparedDirectory ?? preparedInCell), {
    path: flags.file,
    componentDigest,
    memoryBytesMax: flags.memoryBytesMax,
  });
  if (task.kind === "run") {
    close(task);
    const clock = systemClock;
    const egress = pod === undefined ? allowListEgress(hosts) : podEgress(pod, clock);
    return runComponent(program, { flags: task.flags, egress, clock, starting });
  }
  const stop = AbortSignal.any([stopOnSignals(systemClock), endOfTask()]);
  close(task);
  const serving = { flags: task.flags, hosts, program, listener: listenerDescriptor };
  await serveProgram(serving, { ...options, clock: systemClock, stop, kill: endAtOnce });
  return 0;
}

const podEgress = ({ egressSocket, egressAllowed: allowed }: NonNullable<RunTask["pod"]>, clock: Clock): Egress =>
  new ProxiedEgress(addressJudge({ allowed }), egressSocket, clock);

function close(task: CellTask): void {
  if (!task.closesCalls) return;
  if (task.kind === "module") closeSystemCalls("module");
  else if (task.kind === "run" && task.pod !== undefined) {
    closeSystemCalls(task.flags.directories.some(({ writable }) => writable) ? "writing-host" : "host");
  } else closeSystemCalls(task.hosts.length > 0 ? "online-component" : "component");
}

/** Whoever gave the task wants its end, or is gone. */
function endOfTask(): AbortSignal {
  const controller = new AbortController();
  const channel = new Socket({ fd: taskDescriptor, readable: true, writable: false });
  channel.on("error", () => undefined);
  channel.on("close", () => controller.abort(new Error("stopped")));
  channel.resume();
  return controller.signal;
}
