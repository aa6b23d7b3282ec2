import { expect, test } from "vitest";
import { CodecTable } from "./codec-table.ts";
import type { StringEncoding } from "../link/link-plan.ts";
import { guestOfText } from "../testing/guest.ts";
import { passThroughComponent, type Signature } from "../testing/pass-through.ts";
import { chance, type Sample, sampleResources, Samples } from "../testing/samples.ts";

const encodings = ["utf8", "utf16", "latin1+utf16"] as const satisfies readonly StringEncoding[];
const valuesPerFunction = 20;

interface Case extends Signature {
  readonly values: () => readonly unknown[];
}

/** One function with one argument, and one with several that it gives back as a tuple. */
function makeCases(samples: Samples, below: (below: number) => number): readonly Case[] {
  const one = samples.any(4);
  const several: readonly Sample[] = Array.from({ length: 2 + below(5) }, () => samples.any(3));
  const params = several.map(({ type }) => type);
  const tuple = samples.types.push({ kind: "tuple", items: params }) - 1;
  return [
    { params: [one.type], result: one.type, values: () => [one.value()] },
    { params, result: tuple, values: () => several.map(({ value }) => value()) },
  ];
}

const seedOf = (seed: number, components: number): number => seed * 104_729 + components;

/** Calls each function some times. @returns how often */
async function run(seed: number, through: readonly StringEncoding[]): Promise<number> {
  const below = chance(seedOf(seed, through.length));
  const samples = new Samples(below);
  const cases = makeCases(samples, below);
  const text = passThroughComponent({ types: samples.types, signatures: cases, encodings: through });
  let got: readonly unknown[] = [];
  const answer = (...args: readonly unknown[]): unknown => {
    got = args;
    return args.length === 1 ? args[0] : args;
  };
  const guest = await guestOfText(text, { host: { "test:host/api": { f0: answer, f1: answer } } });
  let checks = 0;
  for (const [index, { values }] of cases.entries()) {
    for (let round = 0; round < valuesPerFunction; round++) {
      const wanted = values();
      const answered = guest.call(`test:guest/api#f${index}`, ...wanted);
      expect(got).toEqual(wanted);
      expect(answered).toEqual(wanted.length === 1 ? wanted[0] : wanted);
      checks++;
    }
  }
  // Every handle that came in went out again.
  for (const { handles } of guest.live.states) expect(handles.size).toBe(0);
  return checks;
}

test.each(Array.from({ length: 150 }, (_, seed) => seed))("through one component: seed %i", async (seed) => {
  expect(await run(seed, [encodings[seed % 3] ?? "utf8"])).toBe(2 * valuesPerFunction);
});

// Every pair of encodings: a string is written anew where one component calls another.
const pairs = encodings.flatMap((first) => encodings.map((second) => [first, second] as const));
test.each(
  pairs.flatMap((pair, index) => Array.from({ length: 10 }, (_, round) => [...pair, index * 10 + round] as const)),
)("through two components, %s behind %s: seed %i", async (first, second, seed) => {
  expect(await run(1000 + seed, [first, second])).toBe(2 * valuesPerFunction);
});

test("the seeds reach arguments in memory, results in memory, and both as core values", () => {
  const reached = { paramsInMemory: 0, paramsFlat: 0, resultInMemory: 0, resultFlat: 0 };
  for (let seed = 0; seed < 150; seed++) {
    const below = chance(seedOf(seed, 1));
    const samples = new Samples(below);
    const cases = makeCases(samples, below);
    const table = new CodecTable({ types: samples.types, resources: sampleResources });
    for (const { params, result } of cases) {
      const isInMemory = params.flatMap((type) => table.codec(type).flat).length > 16;
      reached[isInMemory ? "paramsInMemory" : "paramsFlat"]++;
      reached[table.codec(result).flat.length > 1 ? "resultInMemory" : "resultFlat"]++;
    }
  }
  for (const count of Object.values(reached)) expect(count).toBeGreaterThan(20);
});
