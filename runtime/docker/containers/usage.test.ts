import { expect, test } from "vitest";
import { sharedBytes } from "../disk-usage.ts";
import { columnsOf, parseProcess, processTable } from "./process-table.ts";
import { parseMachineCpu, parseTraffic, type StatsSample, statsJson } from "./stats.ts";

const bootMs = 1_000_000;
const stat = "42 (a) R 1) S 7 42 42 34817 42 4194560 1 0 0 0 6100 400 0 0 20 0 1 0 500 8192 3 18446744073709551615";
const facts = parseProcess({ pid: 42, stat, status: "Name:\ta\nUid:\t5\t6\t5\t5\n", commandLine: "a\0b c\0" }, bootMs);

test("a process out of /proc: a name with brackets, times, sizes", () => {
  expect(facts).toEqual({
    ...{ pid: 42, ppid: 7, uid: 6, state: "S", comm: "a) R 1", commandLine: "a b c", terminal: 34_817 },
    ...{ cpuSeconds: 65, startedMs: 1_005_000, virtualBytes: 8192, residentBytes: 12_288 },
  });
  expect(parseProcess({ pid: 43, stat: "", status: "", commandLine: "" }, bootMs)).toBeUndefined();
});

test.each([
  ["", "UID PID PPID C STIME TTY TIME CMD"],
  ["-ef", "UID PID PPID C STIME TTY TIME CMD"],
  ["aux", "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND"],
  ["-o pid,cmd", "PID CMD"],
  ["-eo pid,%cpu", "PID %CPU"],
  ["axopid,rss", "PID RSS"],
])("ps %j has the columns %s", (text, titles) => {
  const machine = { nowMs: 1_135_000, bootMs, memoryBytes: 1_228_800, firstUid: 6 };
  const table = processTable(columnsOf(text), facts === undefined ? [] : [facts], machine);
  expect(table.Titles.join(" ")).toBe(titles);
  const row = Object.fromEntries(table.Titles.map((title, index) => [title, table.Processes[0]?.[index]]));
  const known = {
    UID: "root",
    USER: "root",
    PID: "42",
    CMD: "a b c",
    TTY: "pts/1",
    TIME: "00:01:05",
    "%CPU": "50.0",
    RSS: "12",
    "%MEM": "1.0",
  };
  for (const [title, value] of Object.entries(known)) if (title in row) expect(row[title]).toBe(value);
});

test.each(["-p 1", "-o pid,constructor", "--sort=pid", "-o", "; reboot"])("ps %j is refused", (text) => {
  expect(() => columnsOf(text)).toThrow(expect.objectContaining({ code: "BAD_REQUEST" }));
});

test("what the machine did, and what went over links", () => {
  expect(parseMachineCpu("cpu  1 2 3 4 5 6 7 8 100 100\ncpu0 1 2\ncpu1 1 2\nintr 5\n")).toEqual({
    ...{ cpuNs: 360_000_000, cpus: 2 },
  });
  const text =
    "Inter-|   Receive\n face |bytes\n    lo: 1 1 0 0 0 0 0 0 1 1 0\n  eth0:12 3 0 0 0 0 0 0 45 6 0 0 0 0 0 0\n";
  expect(parseTraffic(text)).toEqual({
    eth0: { receivedBytes: 12, receivedPackets: 3, sentBytes: 45, sentPackets: 6 },
  });
});

test("two samples as clients reckon with them; one that does not run has used nothing", () => {
  const used = { cpuNs: 5e8, memoryBytes: 1 << 20, processes: 2, readBytes: 3, writtenBytes: 4 };
  const before: StatsSample = {
    ...{ wallMs: 0, used, memoryBytesLimit: 2 << 20, machine: { cpuNs: 1e9, cpus: 2 } },
    links: { eth0: { receivedBytes: 1, receivedPackets: 1, sentBytes: 1, sentPackets: 1 } },
  };
  const now = { ...before, used: { ...used, cpuNs: 1e9 }, machine: { cpuNs: 3e9, cpus: 2 } };
  const container = { record: { id: "1", name: "web" } } as Parameters<typeof statsJson>[0];
  expect(statsJson(container, now, before)).toMatchObject({
    name: "/web",
    cpu_stats: { cpu_usage: { total_usage: 1e9 }, system_cpu_usage: 3e9, online_cpus: 2 },
    precpu_stats: { cpu_usage: { total_usage: 5e8 }, system_cpu_usage: 1e9 },
    memory_stats: { usage: 1 << 20, limit: 2 << 20 },
    pids_stats: { current: 2 },
    networks: { eth0: { rx_bytes: 1, tx_packets: 1 } },
  });
  expect(statsJson(container, undefined, undefined)).toMatchObject({ read: "0001-01-01T00:00:00Z", networks: {} });
});

test("what images share", () => {
  const image = (blobs: Readonly<Record<string, number>>) => ({ blobs: new Map(Object.entries(blobs)) });
  const images = [image({ a: 10, b: 1 }), image({ a: 10, c: 5 }), image({ d: 7 })];
  expect(sharedBytes(images)).toEqual([10, 10, 0]);
});
