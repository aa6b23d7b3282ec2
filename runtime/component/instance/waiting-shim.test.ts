import { expect, test } from "vitest";
import type { CoreType } from "../abi/codec.ts";
import type { CoreSignature } from "../core-module/encode.ts";
import { waitingShim } from "./waiting-shim.ts";

const types: readonly CoreType[] = ["i32", "i64", "f32", "f64"];

// More than one byte of an index counts, with up to 17 parameters (16, and the place of a result).
const signatures: readonly CoreSignature[] = Array.from({ length: 213 }, (_, index) => ({
  params: Array.from({ length: index % 18 }, (_, at) => types[(index + at) % types.length] ?? "i32"),
  result: [undefined, ...types][index % 5],
}));

const valueOf = (type: CoreType, index: number): number | bigint => (type === "i64" ? BigInt(index) : index);

test("a shim passes on what it is called with and what is answered, and waits for nothing", () => {
  const got: unknown[] = [];
  const attempts = Object.fromEntries(
    signatures.map(({ result }, index) => [
      String(index),
      (...values: readonly unknown[]) => {
        got.push(index, ...values);
        return result === undefined ? undefined : valueOf(result, index + 1000);
      },
    ]),
  );
  const wait = (): never => {
    throw new Error("nothing is to be waited for");
  };
  const finishes = Object.fromEntries(["", ...types].map((type) => [type, wait]));
  const pending = new WebAssembly.Global({ value: "i32", mutable: true }, 0);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(waitingShim(signatures)), {
    try: attempts,
    finish: finishes,
    state: { pending, wait },
  });
  for (const [index, { params, result }] of signatures.entries()) {
    const values = params.map((type, at) => valueOf(type, at));
    const answer = (exports[String(index)] as (...values: readonly unknown[]) => unknown)(...values);
    expect(got.splice(0)).toEqual([index, ...values]);
    expect(answer).toEqual(result === undefined ? undefined : valueOf(result, index + 1000));
  }
});

test("a shim with one signature imports the one finish that it needs", () => {
  const module = new WebAssembly.Module(waitingShim([{ params: ["i64"], result: "f32" }]));
  expect(WebAssembly.Module.imports(module)).toEqual([
    { module: "try", name: "0", kind: "function" },
    { module: "finish", name: "f32", kind: "function" },
    { module: "state", name: "wait", kind: "function" },
    { module: "state", name: "pending", kind: "global" },
  ]);
});
