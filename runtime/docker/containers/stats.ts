import { readFile } from "node:fs/promises";
import { totalmem } from "node:os";
import { parseQuantity, type Pod } from "@shallop/sdk/api";
import { type Call, ok, type Reply } from "../http/call.ts";
import type { Routes } from "../http/router.ts";
import type { CgroupUsage } from "../../sandbox/kernel/cgroup.ts";
import { hasProgram } from "./container-state.ts";
import type { Containers, DockerContainer } from "./containers.ts";
import type { PauseParts } from "./pause.ts";
import { nativeProgram } from "./top.ts";

type StatsParts = Omit<PauseParts, "client"> & { readonly containers: Containers };

/** What a container has used until now, and the machine meanwhile. */
export interface StatsSample {
  readonly wallMs: number;
  readonly used: CgroupUsage;
  readonly memoryBytesLimit: number;
  readonly machine: { readonly cpuNs: number; readonly cpus: number };
  readonly links: Readonly<Record<string, Traffic>>;
}

interface Traffic {
  readonly receivedBytes: number;
  readonly receivedPackets: number;
  readonly sentBytes: number;
  readonly sentPackets: number;
}

// As Docker: what a processor did is told by two samples, a second apart.
const sampleEachMs = 1000;
/** Docker's "never". */
const never = "0001-01-01T00:00:00Z";

/** `docker stats`. */
export function statsRoutes(parts: StatsParts): Routes {
  return { "GET /containers/:id/stats": (call) => stats(parts, call) };
}

async function stats(parts: StatsParts, call: Call): Promise<Reply | void> {
  const container = parts.containers.find(call.param("id"));
  const first = await sampleOf(parts, container);
  if (!call.flag("stream", true)) {
    if (first === undefined || call.flag("one-shot")) return ok(statsJson(container, first, undefined));
    await parts.clock.sleep(sampleEachMs, call.signal);
    return ok(statsJson(container, await sampleOf(parts, container), first));
  }
  const output = call.stream("application/json");
  let before = first;
  while (!container.isRemoved && !call.signal.aborted) {
    await parts.clock.sleep(sampleEachMs, call.signal).catch(() => undefined);
    const sample = await sampleOf(parts, container).catch(() => undefined);
    // Who does not read misses some.
    if (!output.writableNeedDrain && !call.signal.aborted)
      output.write(`${JSON.stringify(statsJson(container, sample, before))}\n`);
    before = sample;
  }
  output.end();
}

/** Undefined of one that does not run. @throws DockerFault UNSUPPORTED */
async function sampleOf(
  { cgroups, nodeDirectory, clock }: StatsParts,
  container: DockerContainer,
): Promise<StatsSample | undefined> {
  if (!hasProgram(container.state)) return undefined;
  const { pod, pid } = await nativeProgram(container, nodeDirectory);
  const [used, stat, links] = await Promise.all([
    cgroups.usage(pod),
    readFile("/proc/stat", "utf8"),
    readFile(`/proc/${String(pid)}/net/dev`, "utf8").catch(() => ""),
  ]);
  return {
    ...{ wallMs: clock.wallMs(), used, machine: parseMachineCpu(stat), links: parseTraffic(links) },
    memoryBytesLimit: memoryLimitOf(pod),
  };
}

const memoryLimitOf = ({ spec }: Pod): number =>
  Math.min(totalmem(), parseQuantity(spec.containers[0]?.resources?.limits?.["memory"] ?? totalmem()) ?? totalmem());

/** proc_stat(5): what all processors did and did not, without guests, which are in `user` already. Pure. */
export function parseMachineCpu(stat: string): StatsSample["machine"] {
  const [line = ""] = stat.split("\n");
  const ticks = line
    .split(/\s+/)
    .slice(1, 9)
    .reduce((sum, text) => sum + Number(text), 0);
  return { cpuNs: ticks * 10_000_000, cpus: stat.match(/^cpu\d+ /gm)?.length ?? 1 };
}

/** `/proc/PID/net/dev`, without the loopback. Pure. */
export function parseTraffic(text: string): StatsSample["links"] {
  const links = [...text.matchAll(/^\s*([^\s:]+):(.*)$/gm)].map(([, name = "", rest = ""]): [string, Traffic] => {
    const numbers = rest.trim().split(/\s+/).map(Number);
    const [receivedBytes = 0, receivedPackets = 0] = numbers;
    const [sentBytes = 0, sentPackets = 0] = numbers.slice(8);
    return [name, { receivedBytes, receivedPackets, sentBytes, sentPackets }];
  });
  return Object.fromEntries(links.filter(([name]) => name !== "lo"));
}

/** As clients count: percent of a processor by the difference of both samples. Pure. */
export function statsJson(
  { record }: Pick<DockerContainer, "record">,
  now: StatsSample | undefined,
  before: StatsSample | undefined,
): object {
  const time = (sample: StatsSample | undefined): string =>
    sample === undefined ? never : new Date(sample.wallMs).toISOString();
  return {
    ...{ id: record.id, name: `/${record.name}`, os_type: "linux", num_procs: 0 },
    ...{ read: time(now), preread: time(before), storage_stats: {} },
    ...{ cpu_stats: cpuJson(now), precpu_stats: cpuJson(before) },
    pids_stats: now === undefined ? {} : { current: now.used.processes },
    // Without pages of files that can be dropped, so there is nothing to take away from it.
    memory_stats:
      now === undefined
        ? {}
        : { usage: now.used.memoryBytes, limit: now.memoryBytesLimit, stats: { inactive_file: 0 } },
    blkio_stats: { io_service_bytes_recursive: now === undefined ? null : diskJson(now.used) },
    networks: Object.fromEntries(Object.entries(now?.links ?? {}).map(([name, link]) => [name, trafficJson(link)])),
  };
}

function cpuJson(sample: StatsSample | undefined): object {
  const total_usage = sample?.used.cpuNs ?? 0;
  if (sample === undefined) return { cpu_usage: { total_usage } };
  const { cpuNs: system_cpu_usage, cpus: online_cpus } = sample.machine;
  return { cpu_usage: { total_usage }, system_cpu_usage, online_cpus };
}

const diskJson = ({ readBytes, writtenBytes }: CgroupUsage): readonly object[] => [
  { major: 0, minor: 0, op: "read", value: readBytes },
  { major: 0, minor: 0, op: "write", value: writtenBytes },
];

const trafficJson = ({ receivedBytes, receivedPackets, sentBytes, sentPackets }: Traffic): object => ({
  ...{ rx_bytes: receivedBytes, rx_packets: receivedPackets, tx_bytes: sentBytes, tx_packets: sentPackets },
});
