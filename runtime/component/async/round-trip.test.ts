import { expect, test } from "vitest";
import { CodecTable } from "../abi/codec-table.ts";
import { asyncPassThroughComponent, flatMax } from "../testing/async-pass-through.ts";
import { guestOfText } from "../testing/guest.ts";
import type { StringEncoding } from "../link/link-plan.ts";
import { chance, type Sample, sampleResources, Samples } from "../testing/samples.ts";

const valuesPerFunction = 20;

/** So many arguments that they come in memory. */
function arguments_(samples: Samples): readonly Sample[] {
  const several: Sample[] = [];
  let flat = 0;
  while (flat <= flatMax) {
    const sample = samples.any(3);
    several.push(sample);
    const table = new CodecTable({ types: samples.types, resources: sampleResources });
    flat += table.codec(sample.type).flat.length;
  }
  return several;
}

const throughs: readonly (readonly StringEncoding[])[] = [
  ["utf8"],
  ["utf16", "utf8"],
  ["utf8", "latin1+utf16"],
  ["latin1+utf16", "utf16", "utf8"],
];

test.each(
  Array.from({ length: 48 }, (_, seed) => [throughs[seed % throughs.length] ?? (["utf8"] as const), seed] as const),
)(
  "values go through async functions of components behind each other, %j, at once and late: seed %i",
  async (through, seed) => {
    const samples = new Samples(chance(7_000_003 * (seed + 1)));
    const several = arguments_(samples);
    const params = several.map(({ type }) => type);
    const result = samples.types.push({ kind: "tuple", items: params }) - 1;
    let got: readonly unknown[] = [];
    let isLate = false;
    const f0 = (...args: readonly unknown[]): unknown => {
      got = args;
      return isLate ? new Promise((resolve) => void setImmediate(resolve, args)) : args;
    };
    const host = { "test:host/api": { f0 } };
    const text = asyncPassThroughComponent(samples.types, [{ params, result }], through);
    const guest = await guestOfText(text, { host, handlesMax: 10_000 });
    for (let round = 0; round < valuesPerFunction; round++) {
      isLate = round % 4 === 0;
      const wanted = several.map(({ value }) => value());
      const answered = guest.call("test:guest/api#f0", ...wanted);
      expect(answered instanceof Promise).toBe(isLate);
      expect(await answered).toEqual(wanted);
      expect(got).toEqual(wanted);
    }
    expect(guest.live.isQuiet).toBe(true);
    for (const { handles } of guest.live.states) expect(handles.size).toBe(0);
  },
);
