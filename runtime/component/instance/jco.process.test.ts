import { parse } from "@bytecodealliance/jco";
import { expect, test } from "vitest";
import { guestOf } from "../testing/guest.ts";
import { jcoGuestOf } from "../testing/jco-guest.ts";
import { jcoSamples, normal, sampleOf } from "../testing/jco-values.ts";
import { passThroughComponent, type Signature } from "../testing/pass-through.ts";
import { chance, type Sample, type Samples, SampleThing } from "../testing/samples.ts";

// The same component through jco's bindings and through ours: what the host is given and what the caller is answered are the
// same values. Where jco's JavaScript is another than ours, and not looked at here:
// - the result of a function that is `result<T, E>`: jco returns T and throws E. All signatures have it inside of something;
// - lists of fixed length: jco knows none;
// - lists of f32 and f64: jco has typed arrays, ours are arrays (each NaN is made the canonical one);
// - a case without payload, and a result without one: jco's has `val: undefined`, ours has it for results only;
// - an option of an option of an option: jco gives `{ tag: "some", val: true }` for some(some(some(false)));
// - the encoding Latin-1 or UTF-16: jco does not transpile it;
// - components that call each other: jco answers with promises there, and refuses an s16 below zero.

const functionsMax = 60;
const valuesPerFunction = 25;

interface Case extends Signature {
  readonly values: () => readonly unknown[];
}

function makeCases(samples: Samples, below: (below: number) => number): readonly Case[] {
  return Array.from({ length: functionsMax }, (_, index) => {
    const several: readonly Sample[] = Array.from({ length: 1 + below(5) }, () => sampleOf(samples));
    const params = several.map(({ type }) => type);
    const first = params[0] ?? 0;
    const isAlone = params.length === 1 && samples.types[first]?.kind !== "result";
    const result = isAlone ? first : samples.types.push({ kind: "tuple", items: params }) - 1;
    const encoding = index % 2 === 0 ? "utf8" : "utf16";
    return { params, result, encoding, values: () => several.map(({ value }) => value()) };
  });
}

async function compare(seed: number): Promise<void> {
  const below = chance(seed);
  const samples = jcoSamples(below);
  const cases = makeCases(samples, below);
  const component = await parse(passThroughComponent({ types: samples.types, signatures: cases, encodings: ["utf8"] }));
  const got: (readonly unknown[])[] = [];
  const api: Record<string, unknown> = { Thing: SampleThing };
  for (const [index, { params, result }] of cases.entries()) {
    api[`f${index}`] = (...args: readonly unknown[]) => {
      got.push(args);
      return params.length === 1 && params[0] === result ? args[0] : args;
    };
  }
  const host = { "test:host/api": api };
  const ours = guestOf(component, { host });
  const theirs = (await jcoGuestOf(component, host))["test:guest/api"] ?? {};
  for (const [index, { values }] of cases.entries()) {
    for (let round = 0; round < valuesPerFunction; round++) {
      const wanted = values();
      const theirAnswer = theirs[`f${index}`]?.(...wanted);
      const ourAnswer = ours.call(`test:guest/api#f${index}`, ...wanted);
      const [theirArguments, ourArguments] = got.splice(0);
      expect(normal(ourArguments)).toEqual(normal(theirArguments));
      expect(normal(ourAnswer)).toEqual(normal(theirAnswer));
    }
  }
}

test.each([20_261_121, 20_261_128, 3])(
  `${functionsMax} functions give what they give under jco: seed %i`,
  { timeout: 120_000 },
  compare,
);
