import { parse } from "@bytecodealliance/jco";
import { describe, expect, test } from "vitest";
import { BinaryError } from "../leb128.ts";
import { CapError } from "./cap-error.ts";
import { capTables } from "./table-cap.ts";

const wat = async (text: string): Promise<Uint8Array<ArrayBuffer>> => Uint8Array.from(await parse(`(module ${text})`));

/** How far each exported table grows in V8, one entry at a time. */
function growth(bytes: Uint8Array): Readonly<Record<string, number>> {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
  const grown = (table: WebAssembly.Table): number => {
    try {
      while (table.length < 200) (table as unknown as { grow(by: number): number }).grow(1);
    } catch {
      // It has reached its maximum.
    }
    return table.length;
  };
  return Object.fromEntries(Object.entries(exports).map(([name, table]) => [name, grown(table as WebAssembly.Table)]));
}

describe("capTables", () => {
  test.each([
    { what: "no maximum", text: '(table (export "t") 2 funcref)', ends: { t: 50 } },
    { what: "a higher maximum", text: '(table (export "t") 2 100 externref)', ends: { t: 50 } },
    { what: "a lower maximum", text: '(table (export "t") 2 5 funcref)', ends: { t: 5 } },
    { what: "as many entries as the cap", text: '(table (export "t") 50 funcref)', ends: { t: 50 } },
    {
      what: "others beside it",
      text: '(table (export "a") 10 funcref) (table (export "b") 0 externref) (table (export "c") 4 4 funcref)',
      ends: { a: 22, b: 12, c: 4 },
    },
    {
      what: "entries with an initial value",
      text: '(func $f) (elem declare func $f) (table (export "t") 3 (ref null func) (ref.func $f)) (table (export "u") 1 funcref)',
      ends: { t: 26, u: 24 },
    },
    { what: "64-bit indexes", text: '(table (export "t") i64 1 funcref)', ends: undefined },
  ])("a table with $what", async ({ text, ends }) => {
    const capped = capTables(await wat(text), 50);
    // The API takes 64-bit tables with big numbers; that V8 takes the module is enough.
    if (ends === undefined) expect(WebAssembly.validate(capped as Uint8Array<ArrayBuffer>)).toBe(true);
    else expect(growth(capped)).toEqual(ends);
  });

  test("a guest's own table.grow answers -1", async () => {
    const text = '(table $t 1 funcref) (func (export "f") (result i32) (table.grow $t (ref.null func) (i32.const 50)))';
    const module = new WebAssembly.Module(capTables(await wat(text), 50));
    const { exports } = new WebAssembly.Instance(module);
    expect((exports["f"] as () => number)()).toBe(-1);
  });

  test("leaves a module alone that needs no cap", async () => {
    for (const text of ["", "(table 3 3 funcref)"]) {
      const bytes = await wat(text);
      expect(capTables(bytes, 50)).toBe(bytes);
    }
  });

  test("refuses tables that start above the cap, all together", async () => {
    const bytes = await wat("(table 30 funcref) (table 21 funcref)");
    expect(() => capTables(bytes, 50)).toThrow(CapError);
  });

  test.each([
    { what: "of an unknown kind", section: [1, 0x70, 0x08, 1] },
    { what: "that is cut short", section: [2, 0x70, 0x00, 1] },
  ])("refuses a table $what", ({ section }) => {
    const bytes = Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 4, section.length, ...section]);
    expect(() => capTables(bytes, 50)).toThrow(BinaryError);
  });
});
