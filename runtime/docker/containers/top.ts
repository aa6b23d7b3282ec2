import { readFile } from "node:fs/promises";
import { totalmem } from "node:os";
import type { Pod } from "@shallop/sdk/api";
import { type Call, ok, type Reply } from "../http/call.ts";
import { DockerFault } from "../http/docker-fault.ts";
import type { Routes } from "../http/router.ts";
import { hasProgram } from "./container-state.ts";
import type { Containers, DockerContainer } from "./containers.ts";
import { firstUidOf, localProcess } from "./local-process.ts";
import type { PauseParts } from "./pause.ts";
import { columnsOf, type MachineFacts, processTable, readProcess } from "./process-table.ts";

type TopParts = Omit<PauseParts, "client"> & { readonly containers: Containers };

/** What a table is worth reading of; a container has fewer as a rule. */
const processesMax = 4096;

/** `docker top`: out of the machine's /proc, so that an image needs no ps. */
export function topRoutes(parts: TopParts): Routes {
  return { "GET /containers/:id/top": (call) => top(parts, call) };
}

async function top({ containers, cgroups, nodeDirectory, clock }: TopParts, call: Call): Promise<Reply> {
  const container = containers.find(call.param("id"));
  const names = columnsOf(call.text("ps_args") ?? "");
  const { pod, pid } = await nativeProgram(container, nodeDirectory);
  const [bootedMs, firstUid] = await Promise.all([bootMs(), firstUidOf(pid)]);
  const machine: MachineFacts = { nowMs: clock.wallMs(), bootMs: bootedMs, memoryBytes: totalmem(), firstUid };
  const pids = (await cgroups.processes(pod)).toSorted((a, b) => a - b).slice(0, processesMax);
  const processes = await Promise.all(pids.map((one) => readProcess(one, machine)));
  return ok(
    processTable(
      names,
      processes.filter((one) => one !== undefined),
      machine,
    ),
  );
}

/** @throws DockerFault CONFLICT when it does not run; UNSUPPORTED of a component, which has no process of its own */
export async function nativeProgram(
  { record, state, pod }: DockerContainer,
  nodeDirectory: string,
): Promise<{ readonly pod: Pod; readonly pid: number }> {
  if (pod === undefined || !hasProgram(state))
    throw new DockerFault("CONFLICT", `Container ${record.id} is not running`);
  const process = await localProcess(nodeDirectory, pod);
  if (process !== undefined) return { pod, pid: process.pid };
  throw new DockerFault("UNSUPPORTED", `Container ${record.id} runs a component, which has no processes of its own`);
}

/** proc_stat(5): `btime`, seconds since 1970. */
const bootMs = async (): Promise<number> =>
  1000 * Number(/^btime (\d+)/m.exec(await readFile("/proc/stat", "utf8"))?.[1] ?? 0);
