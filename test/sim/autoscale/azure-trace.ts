import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Trace, TracedFunction } from "./trace.ts";

// The Azure Functions traces of 2019 (github.com/Azure/AzurePublicDataset): a file a day for each of invocations, durations
// and memory. Their fields are hashes and numbers: nothing is quoted.

const minutesADay = 1440;
/** Of functions whose duration, and of apps whose memory was not measured: the trace's medians. */
const durationMsDefault = 700;
const memoryMibDefault = 170;

/** The busiest-first order of a trace says nothing: functions are taken as they come. @throws Error with the file's name */
export async function readAzureTrace(directory: string, functionsMax: number): Promise<Trace> {
  const names = (await readdir(directory)).sort();
  const days = names.filter((name) => /^invocations_per_function_md\.anon\.d\d+\.csv$/.test(name));
  if (days.length === 0)
    throw new Error(`${directory} holds no invocations_per_function_md.anon.dNN.csv of the Azure Functions traces`);
  const durations = await column(directory, names, {
    prefix: "function_durations_percentiles",
    key: "HashFunction",
    value: "Average",
  });
  const memories = await column(directory, names, {
    prefix: "app_memory_percentiles",
    key: "HashApp",
    value: "AverageAllocatedMb",
  });
  const counts = new Map<string, { readonly app: string; readonly counts: number[] }>();
  for (const [day, name] of days.entries()) {
    for (const row of await rows(join(directory, name))) {
      const key = row.get("HashFunction") ?? "";
      if (!counts.has(key) && counts.size >= functionsMax) continue;
      const known = counts.get(key) ?? {
        app: row.get("HashApp") ?? "",
        counts: Array.from({ length: days.length * minutesADay }, () => 0),
      };
      counts.set(key, known);
      for (let minute = 0; minute < minutesADay; minute++)
        known.counts[day * minutesADay + minute] = Number(row.get(String(minute + 1)) ?? 0);
    }
  }
  const functions = [...counts].map(([key, known]): TracedFunction => ({
    name: key.slice(0, 8),
    durationMs: durations.get(key) ?? durationMsDefault,
    memoryMib: memories.get(known.app) ?? memoryMibDefault,
    counts: known.counts,
  }));
  return { name: `${directory}: ${String(functions.length)} functions, ${String(days.length)} days`, functions };
}

/** The first day's values of a column. */
async function column(
  directory: string,
  names: readonly string[],
  { prefix, key, value }: { readonly prefix: string; readonly key: string; readonly value: string },
): Promise<ReadonlyMap<string, number>> {
  const name = names.find((candidate) => candidate.startsWith(prefix));
  const table = name === undefined ? [] : await rows(join(directory, name));
  return new Map(table.map((row) => [row.get(key) ?? "", Number(row.get(value) ?? Number.NaN)]));
}

async function rows(file: string): Promise<ReadonlyMap<string, string>[]> {
  const [head = "", ...lines] = (await readFile(file, "utf8")).split(/\r?\n/);
  const titles = head.split(",");
  return lines
    .filter((line) => line !== "")
    .map((line, index) => {
      const fields = line.split(",");
      if (fields.length !== titles.length)
        throw new Error(
          `${file}:${String(index + 2)} has ${String(fields.length)} fields, not ${String(titles.length)}`,
        );
      return new Map(titles.map((title, at) => [title, fields[at] ?? ""]));
    });
}
