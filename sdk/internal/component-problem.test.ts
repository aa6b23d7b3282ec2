import { expect, test } from "vitest";
import { componentProblem } from "./component-problem.ts";

test.each([
  {
    what: "invalid",
    message:
      "Failed to decode wit component\ntype mismatch\nexpected: (func)\nfound:    (func (param i32)) (at offset 0x1f)",
    found: { problem: "type mismatch; expected: (func); found: (func (param i32))", offset: 31 },
  },
  {
    what: "invalid, with a name that writes to terminals",
    message: "Failed to decode wit component\n`\u001b[2Ja` is not a name (at offset 0xb)",
    found: { problem: "`?[2Ja` is not a name", offset: 11 },
  },
  { what: "valid, without WIT", message: "Failed to decode wit component\nexport `t` is a type", found: undefined },
  {
    what: "too much for wasm-tools",
    message: "wasm trap: unreachable",
    found: { problem: "wasm-tools cannot validate it (wasm trap: unreachable)", offset: 0 },
  },
])("$what", ({ message, found }) => {
  expect(componentProblem(new Error(message))).toEqual(found);
});
