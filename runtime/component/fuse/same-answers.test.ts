import { parse } from "@bytecodealliance/jco";
import { afterAll, expect, test } from "vitest";
import type { CoreValue } from "../abi/codec.ts";
import type { BuiltinOf, StringEncoding } from "../link/link-plan.ts";
import { guestOf, type Guest } from "../testing/guest.ts";
import { passThroughComponent, type Signature } from "../testing/pass-through.ts";
import { chance, Samples } from "../testing/samples.ts";
import { planLinks } from "../link/plan-links.ts";

// Two components, composed, and the same two apart, with the host between them, which lifts and lowers by codecs: whatever core values
// the one calls the other with, right or wrong, both get and give the same.

const encodings = ["utf8", "utf16", "latin1+utf16"] as const satisfies readonly StringEncoding[];
const rounds = 25;
const reached = { returned: 0, trapped: 0 };
const traps = new Set<string>();

interface Pair {
  readonly caller: Guest;
  readonly callee: Guest;
  /** Of the function by which the caller calls the callee. */
  readonly builtin: number;
  /** Component instances, and core instances that have the memory. */
  readonly place: { readonly caller: number; readonly callee: number; readonly memories: readonly [number, number] };
  got: readonly unknown[] | undefined;
}

interface Texts {
  readonly composed: Uint8Array;
  readonly caller: Uint8Array;
  readonly callee: Uint8Array;
}

const isBetween = ({ op, ...plan }: { readonly op: string }): boolean =>
  op === "lower" && "callee" in plan && (plan.callee as { readonly kind: string }).kind === "lift";

function together({ composed }: Texts): Pair {
  const pair: { got: readonly unknown[] | undefined } = { got: undefined };
  const guest = guestOf(composed, {
    host: { "test:host/api": { f0: (...args: readonly unknown[]) => answerOf(pair, args) } },
  });
  const builtin = guest.live.component.plan.builtins.findIndex(isBetween);
  const { instance, callee } = guest.live.component.plan.builtins[builtin] as BuiltinOf<"lower">;
  const lift = callee.kind === "lift" ? callee.lift : -1;
  const called = guest.live.component.plan.lifts[lift]?.instance ?? -1;
  const place = { caller: instance, callee: called, memories: [2, 0] as const };
  return Object.assign(pair, { caller: guest, callee: guest, builtin, place });
}

function apart({ caller, callee }: Texts): Pair {
  const pair: { got: readonly unknown[] | undefined } = { got: undefined };
  const called = guestOf(callee, {
    host: { "test:host/api": { f0: (...args: readonly unknown[]) => answerOf(pair, args) } },
  });
  const through = (...args: readonly unknown[]): unknown => called.call("test:guest/api#f0", ...args);
  const guest = guestOf(caller, { host: { "test:host/api": { f0: through } } });
  const builtin = guest.live.component.plan.builtins.findIndex(({ op }) => op === "lower");
  const { instance } = guest.live.component.plan.builtins[builtin] as BuiltinOf<"lower">;
  const place = {
    caller: instance,
    callee: called.live.component.plan.lifts[0]?.instance ?? -1,
    memories: [0, 0] as const,
  };
  return Object.assign(pair, { caller: guest, callee: called, builtin, place });
}

/** The host gives back what it got. */
function answerOf(pair: { got: readonly unknown[] | undefined }, args: readonly unknown[]): unknown {
  pair.got = args;
  return args.length === 1 ? args[0] : args;
}

const exportsOf = ({ live }: Guest, instance: number): Readonly<Record<string, unknown>> =>
  live.coreInstances[instance]?.exports ?? {};

const memoryOf = (guest: Guest, instance: number): Buffer =>
  Buffer.from((exportsOf(guest, instance)["memory"] as WebAssembly.Memory).buffer);

const handlesOf = ({ live }: Guest, instance: number): unknown =>
  [...(live.states[instance]?.handles.items() ?? [])].map((item) => ({ ...item }));

/** Everything that could be seen of one call. */
function outcome(
  pair: Pair,
  seed: number,
  values: (pair: Pair, below: (below: number) => number) => readonly CoreValue[],
): unknown {
  const { caller, callee, builtin, place } = pair;
  const below = chance(seed);
  pair.got = undefined;
  for (const { live } of [caller, callee]) live.reset();
  for (const [at, instance] of place.memories.entries()) {
    const guest = at === 0 ? caller : callee;
    (exportsOf(guest, instance)["reset"] as () => void)();
    // What a call before has left, that ended with a trap.
    memoryOf(guest, instance).fill(0);
  }
  const passed = values(pair, below);
  const core = caller.live.core({ kind: "builtin", builtin }) as (...values: readonly CoreValue[]) => unknown;
  try {
    const returned = core(...passed) ?? 0;
    reached.returned++;
    return {
      passed,
      returned,
      got: pair.got,
      handles: [handlesOf(caller, place.caller), handlesOf(callee, place.callee)],
    };
  } catch (error) {
    traps.add((error as Error).message.replaceAll(/\d+/g, "N"));
    reached.trapped++;
    // What has passed before that is of no matter: the guest is over.
    return { passed, thrown: (error as Error).message, got: pair.got };
  }
}

/** Right core values, or one of them anything. */
function valuesFor(signature: Signature, samples: readonly (() => unknown)[]) {
  return ({ caller, builtin, place }: Pair, below: (below: number) => number): readonly CoreValue[] => {
    const { live } = caller;
    const { type, options } = live.component.plan.builtins[builtin] as BuiltinOf<"lower">;
    const codec = live.component.codec(type);
    const values = [
      ...codec.lowerParams(
        live.context(place.caller, options),
        samples.map((sample) => sample()),
      ),
    ];
    if (codec.lowered.params.length > values.length) values.push(32_768 + 8 * below(1000));
    if (below(2) === 0) {
      const at = below(values.length);
      const odd = [0, 1, 3, 7, 65_529, 65_536, -1, 2 ** 31 - 1, -(2 ** 31), below(300)][below(10)] ?? 0;
      const kind = codec.lowered.params[at];
      values[at] = kind === "i64" ? BigInt(odd) : odd;
    }
    expect(signature.params).toHaveLength(samples.length);
    return values;
  };
}

const pairs = encodings.flatMap((one) => encodings.map((other) => [one, other] as const));
const seeds = pairs.flatMap(([one, other], index) =>
  Array.from({ length: 6 }, (_, round) => [one, other, index * 12 + round] as const),
);

test.each(seeds)("%s calls %s: seed %i", async (one, other, seed) => {
  const below = chance(seed * 7927 + 5);
  const samples = new Samples(below);
  const several = Array.from({ length: 1 + below(4) }, () => samples.any(3));
  const params = several.map(({ type }) => type);
  const result = params.length === 1 ? (params[0] ?? 0) : samples.types.push({ kind: "tuple", items: params }) - 1;
  const signature: Signature = { params, result };
  const textOf = async (through: readonly StringEncoding[]): Promise<Uint8Array> =>
    parse(passThroughComponent({ types: samples.types, signatures: [signature], encodings: through }));
  const texts = { composed: await textOf([other, one]), caller: await textOf([one]), callee: await textOf([other]) };
  expect(planLinks(texts.composed).plan.builtins.filter(isBetween)).toHaveLength(1);
  const [fused, through] = [together(texts), apart(texts)];
  for (let round = 0; round < rounds; round++) {
    // The same values of the same seed on both sides.
    const drawn = several.map(({ value }) => value());
    const values = valuesFor(
      signature,
      drawn.map((value) => () => value),
    );
    const [expected, got] = [outcome(through, seed + round, values), outcome(fused, seed + round, values)];
    expect(got).toEqual(expected);
    if ("thrown" in (got as object)) continue;
    for (const at of [0, 1] as const) {
      const sideOf = (pair: Pair): Buffer => memoryOf(at === 0 ? pair.caller : pair.callee, pair.place.memories[at]);
      expect(sideOf(fused).equals(sideOf(through))).toBe(true);
    }
  }
});

// Not by what a test could look at that runs before the others.
afterAll(() => {
  for (const count of Object.values(reached)) expect(count).toBeGreaterThan(200);
  expect([...traps]).toEqual(
    expect.arrayContaining([
      "trap: N bytes at N are not in the guest's memory",
      "trap: a pointer, N, is not a multiple of N",
      "trap: a variant has N cases, and this is case N",
      "trap: there is no handle N",
    ]),
  );
});
