import fc from "fast-check";
import { expect, test } from "vitest";
import { camelCase } from "../abi/codec.ts";
import { guestOf } from "../testing/guest.ts";
import { jcoGuestOf } from "../testing/jco-guest.ts";
import { parsePuppets } from "../testing/puppet.ts";
import { type EndName, StreamModel } from "../testing/stream-model.ts";

// The same built-ins called in the same order under jco's bindings and under ours. The model says what may be done next.

type Call = (name: string, ...values: readonly number[]) => unknown;

const instance = "test:puppet/a";

interface Step {
  readonly end: EndName;
  readonly act: "copy" | "cancel" | "take";
  readonly count: number;
}

/** What every call of a schedule gave, with the bytes that were read. */
function play(call: Call, steps: readonly Step[]): readonly unknown[] {
  const model = new StreamModel();
  const told: unknown[] = [];
  const both = call("new-stream") as bigint;
  const handles = { read: Number(both & 0xffff_ffffn), write: Number(both >> 32n) };
  const sets = { read: call("set-new") as number, write: call("set-new") as number };
  for (const end of ["read", "write"] as const) call("join", handles[end], sets[end]);
  const tell = (code: unknown, end: EndName): void => {
    told.push(`${end} ${String(code)}`);
    if (end === "read") told.push([0, 4, 8].map((offset) => call("peek", 512 + offset)).join());
  };
  for (const { end, act, count } of steps) {
    if (act === "copy" && model.isIdle(end)) {
      if (end === "write") for (const offset of [0, 4, 8]) call("poke", 256 + offset, (model.passed + offset) * 65_537);
      tell(call(end, handles[end], end === "read" ? 512 : 256, count), end);
      model.begin(end, count);
    } else if (act === "cancel" && model.isBusy(end)) {
      const code = call(`cancel-${end}`, handles[end]) as number;
      // Of what was done whole jco says that it was called off.
      tell(code > 2 ? code & ~2 : code, end);
      model.cancel(end);
    } else if (act === "take" && !model.ends[end].isDropped) {
      const code = call("poll", sets[end], 0);
      tell(code === 0 ? "nothing" : [code, call("peek", 0), call("peek", 4)].join(), end);
      model.take(end);
    }
  }
  for (const end of ["read", "write"] as const) {
    if (model.isBusy(end)) call(`cancel-${end}`, handles[end]);
    // Under jco what is dropped stays in its set.
    call("join", handles[end], 0);
    call(end === "read" ? "drop-readable" : "drop-writable", handles[end]);
    call("set-drop", sets[end]);
  }
  return told;
}

const step = fc.record({
  end: fc.constantFrom("read" as const, "write" as const),
  act: fc.constantFrom("copy" as const, "copy" as const, "take" as const, "take" as const, "cancel" as const),
  // jco does not tell a read or write of nothing from one that is done.
  count: fc.integer({ min: 1, max: 12 }),
});

test("streams do under jco what they do here", { timeout: 60_000 }, async () => {
  const component = await parsePuppets("u8");
  const theirs = (await jcoGuestOf(component, {}, { imports: [], exports: [] }))[instance] ?? {};
  const ours = guestOf(component, { handlesMax: 10_000 });
  const schedules = fc.sample(fc.array(step, { minLength: 10, maxLength: 40 }), { numRuns: 100, seed: 20_261_128 });
  for (const steps of schedules) {
    const wanted = play((name, ...values) => theirs[camelCase(name)]?.(...values), steps);
    const got = play((name, ...values) => ours.call(`${instance}#${name}`, ...values), steps);
    expect(got).toEqual(wanted);
  }
});
