import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "@bytecodealliance/jco";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { componentThatImports, coreModule } from "../host/testing/components.ts";
import { counterComponent, toolComponent, toolModule, writeProgram } from "./testing/programs.ts";
import { type Outcome, shallop } from "./testing/shallop.ts";

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "shallop-inspect-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const inspect = (...args: readonly string[]): Promise<Outcome> => shallop(["inspect", ...args], { cwd: directory });

const shared = `(component
  (core module $m (memory 1 1 shared) (func (export "run") (result i32) (i32.const 0)))
  (core instance $i (instantiate $m))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $r (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $r)))`;

const cases: readonly {
  readonly what: string;
  readonly bytes: () => Promise<Uint8Array>;
  readonly found: Readonly<Record<string, unknown>>;
  readonly refused: readonly RegExp[];
}[] = [
  {
    what: "an HTTP component",
    bytes: counterComponent,
    found: {
      kind: "component",
      world: "wasi:http/proxy@0.2.0",
      wasiVersion: "0.2.0",
      imports: ["wasi:http/types@0.2.0"],
    },
    refused: [],
  },
  {
    what: "a command component",
    bytes: toolComponent,
    found: { world: "wasi:cli/command@0.2.12", exports: ["wasi:cli/run@0.2.12"] },
    refused: [],
  },
  {
    what: "a module of preview 1",
    bytes: toolModule,
    found: { kind: "core-module", wasiVersion: "preview 1", exports: ["memory", "_start"] },
    refused: [],
  },
  {
    what: "a component with an unknown import",
    bytes: () => componentThatImports("acme:db/query@1.0.0"),
    found: { world: "wasi:http/proxy@0.2.3" },
    refused: [/^acme:db\/query@1.0.0 is imported/],
  },
  {
    what: "a module that is no command",
    bytes: async () => coreModule,
    found: { imports: [] },
    refused: [/^it exports no _start/],
  },
  {
    what: "a component that exports nothing",
    bytes: () => parse("(component)"),
    found: { kind: "component" },
    refused: [/nothing to call$/],
  },
  { what: "a component with a shared memory", bytes: () => parse(shared), found: {}, refused: [/shared memory/] },
  {
    what: "a component that is cut short",
    bytes: async () => (await toolComponent()).subarray(0, 9000),
    found: { kind: "component", sizeBytes: 9000 },
    refused: [/^it is invalid: .*, at byte 0x2328$/],
  },
];

describe("shallop inspect FILE.wasm", () => {
  test.each(cases)("$what", async ({ bytes, found, refused }) => {
    await writeProgram(directory, "file.wasm", await bytes());
    const { code, stdout } = await inspect("file.wasm", "-o", "json");
    expect(code).toBe(0);
    const said = JSON.parse(stdout.toString()) as { readonly refused: readonly string[] };
    expect(said).toMatchObject({ path: "file.wasm", ...found });
    expect(said.refused).toHaveLength(refused.length);
    for (const [index, reason] of refused.entries()) expect(said.refused[index]).toMatch(reason);
  });

  test("says the same to people", async () => {
    await writeProgram(directory, "unknown.wasm", await componentThatImports("acme:db/query@1.0.0"));
    const lines = (await inspect("unknown.wasm")).stdout.toString().split("\n");
    expect(lines[0]).toMatch(/^unknown.wasm, a component of/);
    expect(lines).toContain("  world  wasi:http/proxy@0.2.3");
    expect(lines.indexOf("refused by this node")).toBeGreaterThan(lines.indexOf("exports"));
  });

  test("knows a file by what it holds, or by a path that can be no image's name", async () => {
    await writeProgram(directory, "tool", await toolModule());
    await writeProgram(join(directory, "build"), "tool:1", await toolModule());
    for (const name of ["tool", "build/tool:1", "./tool", join(directory, "tool")]) {
      expect((await inspect(name)).stdout.toString(), name).toMatch(/, a core module of/);
    }
    expect(await inspect("./nothing")).toMatchObject({ code: 1, stderr: expect.stringContaining("no such file") });
  });

  test("a file that is no WebAssembly is an error", async () => {
    await writeFile(join(directory, "text.wasm"), "no WebAssembly");
    expect(await inspect("text.wasm")).toMatchObject({ code: 1, stderr: expect.stringContaining("no WebAssembly") });
  });
});
