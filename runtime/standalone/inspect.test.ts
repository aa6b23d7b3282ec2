import { parse } from "@bytecodealliance/jco";
import { describe, expect, test } from "vitest";
import { binaryLayer } from "../component/component-binary.ts";
import { inspect, type Inspection } from "./inspect.ts";

async function inspected(text: string): Promise<Inspection> {
  const bytes = await parse(text);
  const layer = binaryLayer(bytes);
  if (layer === "unknown") throw new Error("the text is no WebAssembly");
  return inspect({ path: "file.wasm", bytes, layer });
}

const core = (result: string): string => `(core module $m (func (export "run") ${result} unreachable))
  (core instance $i (instantiate $m))`;
const run = (version: string, type = "(result (result))"): string => `${core("(result i32)")}
  (func $run ${type} (canon lift (core func $i "run")))
  (instance $r (export "run" (func $run))) (export "wasi:cli/run@${version}" (instance $r))`;

const cases: readonly {
  readonly what: string;
  readonly text: string;
  readonly found?: Partial<Inspection>;
  readonly refused: readonly RegExp[];
}[] = [
  {
    what: "a command of 0.2",
    text: `(component ${run("0.2.3")})`,
    found: { world: "wasi:cli/command@0.2.3", wasiVersion: "0.2.3", exports: ["wasi:cli/run@0.2.3"] },
    refused: [],
  },
  {
    what: "a command of 0.3",
    text: `(component ${run("0.3.0", "async (result (result))")})`,
    found: { world: "wasi:cli/command@0.3.0", wasiVersion: "0.3.0" },
    refused: [],
  },
  {
    what: "a command of a release that is not known",
    text: `(component ${run("0.4.0")})`,
    found: { wasiVersion: "0.4.0" },
    refused: [/^neither .* is exported, so there is nothing to call$/],
  },
  {
    what: "a function to call of another type",
    text: `(component ${run("0.2.0", "(result u32)")})`,
    refused: [/^it cannot be called: wasi:cli\/run@0\.2\.0#run \(of another type\)$/],
  },
  {
    what: "a function of 0.3 that is not async",
    text: `(component ${run("0.3.0")})`,
    refused: [/^it cannot be called: wasi:cli\/run@0\.3\.0#run/],
  },
  {
    what: "all that is missing, beside what is there",
    text: `(component (import "acme:db/query@1.0.0" (instance)) (import "wasi:io/poll@0.2.0" (instance))
      (import "wasi:random/random@0.2.0" (instance (export "get-dice" (func)))) ${run("0.2.0")})`,
    found: { imports: ["acme:db/query@1.0.0", "wasi:io/poll@0.2.0", "wasi:random/random@0.2.0"] },
    refused: [/^acme:db\/query@1\.0\.0 is imported/, /^wasi:random\/random@0\.2\.0#get-dice \(no such function\) is/],
  },
  {
    what: "an invalid component",
    text: `(component ${core("(result i64)")} (func $run (result u32) (canon lift (core func $i "run"))))`,
    refused: [/^it is invalid: .*result types.*at byte 0x[0-9a-f]+$/],
  },
  {
    what: "an invalid core function in a component",
    text: `(component (core module (func (result i32) i64.const 0)) ${run("0.2.0")})`,
    found: { world: "wasi:cli/command@0.2.0" },
    refused: [/^it is invalid: core module 0 is invalid: .*at byte 0x[0-9a-f]+$/],
  },
  {
    what: "an imported core module",
    text: `(component (import "m" (core module)) ${run("0.2.0")})`,
    refused: [/^m is imported/, /is a core module, which no host gives, at byte/],
  },
  {
    what: "an invalid core module",
    text: "(module (func (result i32) i64.const 0))",
    found: { kind: "core-module" },
    refused: [/^it is invalid: .*at byte 0x[0-9a-f]+$/],
  },
  {
    what: "a core module of something else",
    text: '(module (import "env" "f" (func)) (func (export "main")))',
    found: { imports: ["env f"], exports: ["main"] },
    refused: [/^it imports env f/, /^it exports no _start/],
  },
];

describe("what is found of a file", () => {
  test.each(cases)("$what", async ({ text, found = {}, refused }) => {
    const said = await inspected(text);
    expect(said).toMatchObject(found);
    expect(said.refused).toHaveLength(refused.length);
    for (const [index, reason] of refused.entries()) expect(said.refused[index]).toMatch(reason);
  });

  test("the world is there as WIT", async () => {
    const { wit } = await inspected(`(component (import "log" (func (param "line" string))) ${run("0.2.0")})`);
    expect(wit).toContain("import log: func(line: string);");
    expect(wit).toContain("export wasi:cli/run@0.2.0;");
  });
});
