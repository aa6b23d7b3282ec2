import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { seededRandom } from "../../../sdk/internal/testing/index.ts";
import { readAzureTrace } from "./azure-trace.ts";
import { generateTrace } from "./generate.ts";
import { clairvoyant, contenders, type Costs, simulate } from "./simulate.ts";
import type { Trace } from "./trace.ts";

const options = { coldStartMs: 300, slots: 10, seed: 1 };
const run = (trace: Trace): ReadonlyMap<string, Costs> =>
  new Map(contenders.map((contender) => [contender.name, simulate(trace, contender, options)]));

/** One request in each of these minutes. */
function callsAt(minutes: number, ...at: readonly number[]): Trace {
  const counts = Array.from({ length: minutes }, (_none, minute) => (at.includes(minute) ? 1 : 0));
  return { name: "by hand", functions: [{ name: "f", durationMs: 60_000, memoryMib: 1024, counts }] };
}

test("one call: one cold start, a wait of its length, and a pod that stays as long as each policy says", () => {
  const results = run(callsAt(600, 5));
  for (const { requests, cold, meanWaitMs, busyGibHours } of results.values()) {
    expect({ requests, cold, meanWaitMs }).toEqual({ requests: 1, cold: 1, meanWaitMs: 300 });
    expect(busyGibHours).toBeCloseTo(1 / 60, 2);
  }
  const idleMinutes = (name: string): number => (results.get(name)?.idleGibHours ?? 0) * 60;
  // A stable window, and at most the grace period.
  expect(idleMinutes("KPA")).toBeGreaterThan(0.9);
  expect(idleMinutes("KPA")).toBeLessThan(1.7);
  expect(idleMinutes("fixed, 10 minutes")).toBeGreaterThan(10);
  expect(idleMinutes("fixed, 10 minutes")).toBeLessThan(12);
  expect(idleMinutes("hybrid histogram")).toBeCloseTo(240, 0);
  expect(idleMinutes("while worth it, 15 minutes")).toBeCloseTo(5, 0);
});

test("a call within the time that a pod is kept is no cold start, one after it is", () => {
  const results = run(callsAt(120, 5, 12, 60));
  expect([...results].map(([name, { cold }]) => [name, cold])).toEqual([
    ["KPA", 3],
    ["fixed, 10 minutes", 2],
    ["hybrid histogram", 1],
    ["while worth it, 15 minutes", 3],
    ["while worth it, 60 minutes", 1],
  ]);
});

test("on a generated trace: fewer cold starts than after a fixed time, and less memory; nobody beats who knows the future", () => {
  const trace = generateTrace({ functions: 20, days: 1, random: seededRandom(7) });
  expect(generateTrace({ functions: 20, days: 1, random: seededRandom(7) })).toEqual(trace);
  const results = run(trace);
  const [kpa, fixed, learned] = ["KPA", "fixed, 10 minutes", "while worth it, 15 minutes"].map((name) =>
    results.get(name),
  );
  if (kpa === undefined || fixed === undefined || learned === undefined) throw new Error("a contender is missing");
  expect(learned.cold).toBeLessThan(fixed.cold);
  expect(learned.idleGibHours).toBeLessThan(fixed.idleGibHours);
  expect(learned.cold).toBeLessThan(kpa.cold / 2);
  const optimum = clairvoyant(kpa);
  for (const { cold, idleGibHours, requests } of results.values()) {
    expect(requests).toBe(kpa.requests);
    expect(cold).toBeGreaterThan(optimum.cold);
    expect(idleGibHours).toBeGreaterThan(optimum.idleGibHours);
  }
});

async function directoryWith(files: Readonly<Record<string, string>>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "shallop-trace-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  return directory;
}

const minutes = Array.from({ length: 1440 }, (_none, minute) => minute + 1);
const head = `HashOwner,HashApp,HashFunction,Trigger,${minutes.join(",")}`;
const day = (function_: string, at: number): string =>
  `o,a,${function_},http,${minutes.map((minute) => (minute === at ? 3 : 0)).join(",")}`;

test("the published traces are read, day after day, with durations and memory where they are known", async () => {
  const directory = await directoryWith({
    "invocations_per_function_md.anon.d01.csv": [head, day("first", 1), day("second", 2), day("third", 3)].join("\n"),
    "invocations_per_function_md.anon.d02.csv": [head, day("second", 1440), day("third", 1)].join("\r\n"),
    "function_durations_percentiles.anon.d01.csv": "HashOwner,HashApp,HashFunction,Average\no,a,first,1234\n",
    "app_memory_percentiles.anon.d01.csv": "HashOwner,HashApp,SampleCount,AverageAllocatedMb\no,a,5,96\n",
  });
  const { functions } = await readAzureTrace(directory, 2);
  expect(functions.map(({ name, durationMs, memoryMib }) => ({ name, durationMs, memoryMib }))).toEqual([
    { name: "first", durationMs: 1234, memoryMib: 96 },
    { name: "second", durationMs: 700, memoryMib: 96 },
  ]);
  expect(functions.map(({ counts }) => [...counts.entries()].filter(([, count]) => count > 0))).toEqual([
    [[0, 3]],
    [
      [1, 3],
      [2879, 3],
    ],
  ]);
});

test("a directory without a trace, and a line that is cut, are named", async () => {
  await expect(readAzureTrace(await directoryWith({ "other.csv": "" }), 5)).rejects.toThrow("holds no invocations");
  const cut = await directoryWith({ "invocations_per_function_md.anon.d01.csv": `${head}\no,a,f,http,1` });
  await expect(readAzureTrace(cut, 5)).rejects.toThrow(/d01\.csv:2 has 5 fields, not 1444/);
});
