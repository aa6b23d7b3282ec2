import { expect, test } from "vitest";
import { withExportedGlobals, withGlobalsOf } from "./globals.ts";
import { withoutExports, withWholeMemory } from "./snapshot.ts";
import { binaryOf, unsigned } from "./wasm-binary.ts";

const preamble = Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00);
const section = (id: number, bytes: readonly number[]): { id: number; content: Uint8Array } => ({
  id,
  content: Uint8Array.from(bytes),
});
const text = (value: string): number[] => [...unsigned(value.length), ...new TextEncoder().encode(value)];

/** `init` sets the i32 global to -5, the i64 one to 2^40, and byte 3 of the memory; `read` gives the i32 global. */
const module = binaryOf(preamble, [
  section(1, [2, 0x60, 0, 0, 0x60, 0, 1, 0x7f]),
  section(2, [1, ...text("env"), ...text("imported"), 0x03, 0x7f, 0x00]),
  section(3, [2, 0, 1]),
  section(5, [1, 0x00, 1]),
  section(6, [3, 0x7f, 1, 0x41, 1, 0x0b, 0x7c, 0, 0x44, 0, 0, 0, 0, 0, 0, 0, 0, 0x0b, 0x7e, 1, 0x42, 0, 0x0b]),
  section(7, [3, ...text("init"), 0, 0, ...text("read"), 0, 1, ...text("memory"), 2, 0]),
  section(10, [
    2,
    ...[
      22, 0, 0x41, 0x7b, 0x24, 1, 0x42, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 0x24, 3, 0x41, 3, 0x41, 9, 0x3a, 0, 0, 0x0b,
    ],
    ...[4, 0, 0x23, 1, 0x0b],
  ]),
]);

interface Made extends Readonly<Record<string, unknown>> {
  readonly memory: WebAssembly.Memory;
  readonly init: () => void;
  readonly read: () => number;
}

const start = (binary: Uint8Array): Made =>
  new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(binary)), { env: { imported: 7 } }).exports as Made;

test("a module starts where an instance of it was", () => {
  const before = start(withExportedGlobals(module));
  before.init();
  const memory = new Uint8Array(before.memory.buffer);
  const state = withoutExports(withWholeMemory(withGlobalsOf(module, before), memory), ["init"]);
  const after = start(state);
  expect(Object.keys(after).sort()).toEqual(["memory", "read"]);
  expect([after.read(), new Uint8Array(after.memory.buffer)[3]]).toEqual([-5, 9]);
  const globals = start(withExportedGlobals(state));
  const values = Object.values(globals).flatMap((value) =>
    typeof value === "object" && value !== null && "value" in value ? [value.value] : [],
  );
  expect(values).toEqual([-5, 2n ** 40n]);
});

test("one that has not run stays as it was", () => {
  expect(start(withGlobalsOf(module, start(withExportedGlobals(module)))).read()).toBe(1);
});
