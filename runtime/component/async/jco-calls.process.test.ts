import { parse } from "@bytecodealliance/jco";
import { expect, test } from "vitest";
import { CodecTable } from "../abi/codec-table.ts";
import { asyncPassThroughComponent, flatMax } from "../testing/async-pass-through.ts";
import { guestOf } from "../testing/guest.ts";
import { jcoGuestOf } from "../testing/jco-guest.ts";
import { hasKind, jcoSamples, normal, sampleOf } from "../testing/jco-values.ts";
import type { Signature } from "../testing/pass-through.ts";
import { chance, type Sample, sampleResources, type Samples, SampleThing } from "../testing/samples.ts";

// Async functions through jco's bindings and through ours: the host is given the same values, and the caller answered with them,
// whether the answer is there or comes later. Where jco's JavaScript is another: instance/jco.process.test.ts; and jco gives an
// async function of the host several handles of one call in another order, does not lower a char, nor an option in an option; so there are none.

const functions = 20;
const valuesPerFunction = 6;

interface Case extends Signature {
  readonly values: () => readonly unknown[];
}

function makeCase(samples: Samples): Case {
  const several: Sample[] = [];
  let flat = 0;
  while (flat <= flatMax) {
    const sample = sampleOf(samples);
    if (hasKind(samples.types, sample.type, "char")) continue;
    several.push(sample);
    flat += new CodecTable({ types: samples.types, resources: sampleResources }).codec(sample.type).flat.length;
  }
  const params = several.map(({ type }) => type);
  const result = samples.types.push({ kind: "tuple", items: params }) - 1;
  return { params, result, values: () => several.map(({ value }) => value()) };
}

test(`${functions} async functions give what they give under jco`, { timeout: 120_000 }, async () => {
  const samples = jcoSamples(chance(20_261_128), ["own", "option"]);
  const cases = Array.from({ length: functions }, () => makeCase(samples));
  const component = await parse(asyncPassThroughComponent(samples.types, cases));
  const got: (readonly unknown[])[] = [];
  let isLate = false;
  const answer = async (...args: readonly unknown[]): Promise<unknown> => {
    got.push(args);
    if (isLate) await new Promise(setImmediate);
    return args;
  };
  const names = cases.map((_, index) => `f${index}`);
  const host = { "test:host/api": { Thing: SampleThing, ...Object.fromEntries(names.map((name) => [name, answer])) } };
  const waiting = {
    imports: names.map((name) => `test:host/api#${name}`),
    exports: names.map((name) => `test:guest/api#${name}`),
  };
  const theirs = (await jcoGuestOf(component, host, waiting))["test:guest/api"] ?? {};
  const ours = guestOf(component, { host, handlesMax: 10_000 });
  for (const [index, { values }] of cases.entries()) {
    for (let round = 0; round < valuesPerFunction; round++) {
      isLate = round % 2 === 0;
      const wanted = values();
      const theirAnswer = await theirs[`f${index}`]?.(...wanted);
      const ourAnswer = await ours.call(`test:guest/api#f${index}`, ...wanted);
      const [theirArguments, ourArguments] = got.splice(0);
      expect(normal(ourArguments)).toEqual(normal(wanted));
      expect(normal(ourArguments)).toEqual(normal(theirArguments));
      expect(normal(ourAnswer)).toEqual(normal(theirAnswer));
    }
  }
});
