import { parseArgs } from "node:util";
import { table } from "../../../sdk/cli/output/table.ts";
import { seededRandom } from "../../../sdk/internal/testing/index.ts";
import { readAzureTrace } from "./azure-trace.ts";
import { generateTrace } from "./generate.ts";
import { clairvoyant, contenders, type Costs, simulate } from "./simulate.ts";

// `npm run sim -- [--trace DIR] [--functions N] [--days N] [--cold-start MS] [--slots N] [--seed N]`: a trace of
// calls against ways to keep the last pod of a function.

const { values } = parseArgs({
  options: {
    trace: { type: "string" },
    functions: { type: "string", default: "100" },
    days: { type: "string", default: "2" },
    "cold-start": { type: "string", default: "300" },
    slots: { type: "string", default: "10" },
    seed: { type: "string", default: "1" },
  },
});
const number = (name: "functions" | "days" | "cold-start" | "slots" | "seed"): number => {
  const value = Number(values[name]);
  if (!Number.isInteger(value) || value < 1)
    throw new Error(`--${name} is a whole number, at least 1, not "${values[name]}"`);
  return value;
};
const functions = number("functions");
const seed = number("seed");
const options = { coldStartMs: number("cold-start"), slots: number("slots"), seed };
const trace =
  values.trace === undefined
    ? generateTrace({ functions, days: number("days"), random: seededRandom(seed) })
    : await readAzureTrace(values.trace, functions);

console.log(
  `${trace.name}; a cold start takes ${String(options.coldStartMs)} ms, a pod ${String(options.slots)} requests`,
);
const results = contenders.map((contender, index) => {
  // Each takes a while, and the table comes at the end; it is not part of it.
  console.error(`${String(index + 1)} of ${String(contenders.length)}: ${contender.name}`);
  return simulate(trace, contender, options);
});
const [first] = results;
const rows = [...results, ...(first === undefined ? [] : [clairvoyant(first)])].map(row);
console.log(
  table(["KEPT", "REQUESTS", "COLD", "%", "IDLE GiB·h", "AT WORK GiB·h", "TO OPTIMUM", "MEAN WAIT", "P99"], rows),
);

function row(costs: Costs): string[] {
  const { name, requests, cold, idleGibHours, busyGibHours, meanWaitMs, p99WaitMs } = costs;
  return [
    name,
    String(requests),
    String(cold),
    ((cold * 100) / Math.max(1, requests)).toFixed(2),
    idleGibHours.toFixed(1),
    busyGibHours.toFixed(1),
    ((idleGibHours + busyGibHours) / busyGibHours).toFixed(1),
    `${meanWaitMs.toFixed(1)} ms`,
    `${p99WaitMs.toFixed(0)} ms`,
  ];
}
