import { parse } from "@bytecodealliance/jco";
import { expect, test } from "vitest";
import { GuestFault } from "../guest-fault.ts";
import { BinaryError, BinaryReader } from "../leb128.ts";
import { planLinks } from "../link/plan-links.ts";
import { asyncComponent, callback, compose } from "../testing/async-component.ts";
import { makersComponent } from "../testing/makers.ts";
import { mutate, type Range } from "../testing/mutate.ts";
import { passThroughComponent } from "../testing/pass-through.ts";
import { parsePuppets } from "../testing/puppet.ts";
import { chance, Samples } from "../testing/samples.ts";
import { thingsComponent } from "../testing/things.ts";
import { HostBinding } from "./host-binding.ts";
import { LinkedComponent } from "./linked-component.ts";
import { LiveInstance } from "./live-instance.ts";

const mutations = 10_000;

const passing = (seed: number): string => {
  const samples = new Samples(chance(seed));
  const { type } = samples.any(3);
  const { types } = samples;
  return passThroughComponent({ types, signatures: [{ params: [type], result: type }], encodings: ["utf8"] });
};

/** Small components that have, together, most of what the linker knows. */
const texts: readonly string[] = [
  makersComponent({ run: "(call $drop (call $make (i32.const 7)))", alone: "(call $drop (call $new (i32.const 1)))" }),
  thingsComponent({ run: "(drop (call $look (call $make)))", given: "(call $take (local.get $x))" }),
  passing(5),
  passing(6),
  passing(11),
];

const loopCode = 0x03;
const codeSection = 10;

/** Whether a module may hold a loop, which nothing in this process would end. None of the components has one. */
function mayLoop(module: Uint8Array): boolean {
  const reader = new BinaryReader(module, 8);
  try {
    while (!reader.atEnd) {
      const id = reader.byte();
      const section = reader.take(reader.u32());
      if (id === codeSection && section.some((byte, at) => byte === loopCode && isBlockType(section[at + 1])))
        return true;
    }
  } catch {
    // Nobody compiles what has no sections.
  }
  return false;
}

/** Of blocks without result or with a number, or one of the first types; ten are more than the components here have. */
const isBlockType = (byte = 0): boolean => byte === 0x40 || (byte >= 0x7c && byte <= 0x7f) || byte <= 0x0a;

/** Where in a component its core modules are, without their preambles. */
function coreModules(component: Uint8Array): readonly Range[] {
  return planLinks(component).modules.map(({ byteOffset, byteLength }) => {
    const start = byteOffset - component.byteOffset;
    return { start: start + 8, end: start + byteLength };
  });
}

const answers: readonly (() => unknown)[] = [
  () => undefined,
  () => {
    throw new TypeError("not today");
  },
  () => ({}),
];

function hostOf(answer: () => unknown): Record<string, unknown> {
  const names = ["make", "makeOther", "look", "lookTwice", "take", "lookAndTake", "dropped", "mark", "f0"];
  return { "test:host/api": Object.fromEntries(names.map((name) => [name, answer])) };
}

/** What may come out of a component, whatever its bytes are. */
const isExpected = (error: unknown): boolean =>
  error instanceof BinaryError ||
  error instanceof GuestFault ||
  error instanceof WebAssembly.RuntimeError ||
  // `@types/node` knows them no more than ours do.
  (error instanceof Error && (error.name === "CompileError" || error.name === "LinkError"));

type Stage = "refused" | "not linked" | "not compiled" | "not instantiated" | "called";

/** Goes as far as the bytes let it. @returns how far that was, and what came out */
async function attempt(
  bytes: Uint8Array,
  { round, args }: { readonly round: number; readonly args: readonly unknown[] },
): Promise<{ readonly stage: Stage; readonly errors: unknown[] }> {
  const errors: unknown[] = [];
  let stage: Stage = "refused";
  try {
    const { plan, modules } = planLinks(bytes);
    stage = "not linked";
    if (modules.some(mayLoop)) return { stage, errors };
    stage = "not compiled";
    const compiled = modules.map((module) => new WebAssembly.Module(module));
    stage = "not instantiated";
    const linked = new LinkedComponent({ plan, modules: compiled, mayWait: () => round % 4 === 0 });
    const host = hostOf(answers[round % answers.length] ?? (() => undefined));
    const live = new LiveInstance(linked, new HostBinding(plan.hostFunctions, host), 100);
    await live.begin();
    stage = "called";
    for (const exported of plan.exports) {
      const callees = exported.kind === "function" ? [exported] : exported.functions;
      for (const { callee } of callees) {
        live.reset();
        try {
          await soon(live.call(callee, args));
        } catch (error) {
          errors.push(error);
        }
      }
    }
    live.ended(new Error("the test goes on to the next"));
  } catch (error) {
    errors.push(error);
  }
  return { stage, errors };
}

/** What waits for something that never comes is left waiting. */
const soon = async (result: unknown): Promise<unknown> => Promise.race([result, someTurns()]);

async function someTurns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

/** Mutates each component in turn. @returns how many came how far; fails when something comes out that is no fault */
async function mutateAll(
  components: readonly Uint8Array[],
  { rounds, args }: { readonly rounds: number; readonly args: readonly unknown[] },
): Promise<Readonly<Record<Stage, number>>> {
  const below = chance(20_261_121);
  const stages: Record<Stage, number> = {
    refused: 0,
    "not linked": 0,
    "not compiled": 0,
    "not instantiated": 0,
    called: 0,
  };
  for (let round = 0; round < rounds; round++) {
    const component = components[round % components.length] ?? new Uint8Array();
    // Every second one is changed in its core modules only, which the linker knows little of.
    const within = round % 2 === 0 ? [{ start: 8, end: component.length }] : coreModules(component);
    const bytes = mutate(component, within, below);
    const { stage, errors } = await attempt(bytes, { round, args });
    stages[stage]++;
    for (const error of errors) {
      if (!isExpected(error)) throw new Error(`mutation ${round} was ${stage}`, { cause: error });
    }
  }
  return stages;
}

test(`${mutations} mutations of small components end in nothing but faults`, { timeout: 60_000 }, async () => {
  const components = await Promise.all(texts.map((text) => parse(text)));
  const stages = await mutateAll(components, { rounds: mutations, args: [] });
  // The mutations reach every part: a component that is refused at once tests little.
  expect(stages.refused).toBeGreaterThan(1000);
  expect(stages["not compiled"]).toBeGreaterThan(1000);
  expect(stages.called).toBeGreaterThan(1000);
});

/** Tasks that call tasks, with callbacks, on stacks, by threads; each waits, yields or returns. */
const chainedTasks = compose(
  [
    {
      name: "inner",
      text: asyncComponent({
        builtins: {
          return: "task.return (result u32)",
          new: "waitable-set.new",
          wait: "waitable-set.wait (memory $memory)",
          yield: "thread.yield",
          thread: "thread.new-indirect $start (core table $table)",
          later: "thread.resume-later",
          suspend: "thread.suspend",
        },
        core: `
          (func $start (param i32) (call $return (local.get 0))) (elem (i32.const 0) func $start)
          (func (export "f") (param i32) (result i32) (i32.const 1))
          (func (export "f-cb") (param i32 i32 i32) (result i32) (call $return (i32.const 4)) (i32.const 0))
          (func (export "g") (param i32) (drop (call $yield)) (call $return (local.get 0)) (drop (call $suspend)))
          (func (export "h") (param i32) (call $later (call $thread (i32.const 0) (local.get 0))))
          (func (export "i") (param i32) (result i32) (call $wait (call $new) (local.get 0)))`,
        exports: Object.fromEntries(
          [["f", callback("f")] as const, ["g", "async"] as const, ["h", "async"] as const, ["i", ""] as const].map(
            ([name, options]) => [name, [`async (param "x" u32) (result u32)`, options] as const],
          ),
        ),
      }),
    },
    {
      name: "outer",
      text: asyncComponent({
        before: ["f", "g", "h", "i"]
          .map((name) => `(import "${name}" (func $${name} async (param "x" u32) (result u32)))`)
          .join("\n"),
        builtins: {
          f: ["lower (func $f) async (memory $memory)", "(param i32 i32) (result i32)"],
          g: ["lower (func $g)", "(param i32) (result i32)"],
          h: ["lower (func $h)", "(param i32) (result i32)"],
          i: ["lower (func $i) async (memory $memory)", "(param i32 i32) (result i32)"],
          cancel: "subtask.cancel async",
          drop: "subtask.drop",
        },
        core: `
          (func (export "f") (param i32) (result i32) (call $f (local.get 0) (i32.const 8)))
          (func (export "g") (param i32) (result i32) (call $g (local.get 0)))
          (func (export "h") (param i32) (result i32) (call $h (local.get 0)))
          (func (export "i") (param i32) (result i32)
            (call $cancel (i32.shr_u (call $i (local.get 0) (i32.const 8)) (i32.const 4))))`,
        exports: Object.fromEntries(
          ["f", "g", "h", "i"].map((name) => [name, [`async (param "x" u32) (result u32)`, ""] as const]),
        ),
      }),
      given: ["f", "g", "h", "i"].map((name) => `(with "${name}" (func $inner "${name}"))`).join(" "),
    },
  ],
  ["f", "g", "h", "i"].map((name) => [name, "outer"] as const),
);

/** A stream or future that is over; as a number it is 0. */
const ended = { read: () => undefined, drop: () => undefined, valueOf: () => 0 };

// Each calls some forty exports.
const asyncMutations = 1_500;

test(`${asyncMutations} mutations of asynchronous components do too`, { timeout: 60_000 }, async () => {
  const components = await Promise.all([
    parsePuppets("u8"),
    parsePuppets("string"),
    parsePuppets("(option (tuple u8 char))"),
    parse(chainedTasks),
  ]);
  const stages = await mutateAll(components, { rounds: asyncMutations, args: [ended, ended, ended] });
  expect(stages.refused).toBeGreaterThan(100);
  expect(stages["not compiled"]).toBeGreaterThan(100);
  expect(stages.called).toBeGreaterThan(100);
});
