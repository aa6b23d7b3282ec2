import { describe, expect, test } from "vitest";
import { answerLength, parseJailOutput } from "./jail-protocol.ts";

const prepared = {
  outcome: "prepared",
  wasiVersion: "0.2.0",
  form: "linked",
  purpose: "serve",
  entry: "wasi:http/incoming-handler@0.2.0",
  imports: [],
  exports: [],
};
const output = (answer: unknown, ...parts: string[]): Buffer =>
  Buffer.from(`${JSON.stringify(answer)}\n${parts.join("")}`);
const withFiles = (...files: { name: unknown; bytes: unknown }[]): unknown => ({ ...prepared, files });

describe("parseJailOutput", () => {
  test("gives each file its bytes", () => {
    const parsed = parseJailOutput(
      output(withFiles({ name: "a.js", bytes: 2 }, { name: "b.core.wasm", bytes: 3 }), "aabbb"),
    );
    expect(parsed?.contents.get("a.js")?.toString()).toBe("aa");
    expect(parsed?.contents.get("b.core.wasm")?.toString()).toBe("bbb");
  });

  test.each([
    { what: "nothing", bytes: Buffer.alloc(0) },
    { what: "no line", bytes: Buffer.from("{}") },
    { what: "no JSON", bytes: Buffer.from("hello\n") },
    { what: "an unknown outcome", bytes: output({ outcome: "won" }) },
    { what: "missing fields", bytes: output({ outcome: "prepared", files: [] }) },
    { what: "a file that is cut short", bytes: output(withFiles({ name: "a.js", bytes: 5 }), "aa") },
    { what: "bytes of no file", bytes: output(withFiles(), "aa") },
    { what: "a name that leads out", bytes: output(withFiles({ name: "../a.js", bytes: 0 })) },
    { what: "a name without an end", bytes: output(withFiles({ name: "passwd", bytes: 0 })) },
    { what: "a negative size", bytes: output(withFiles({ name: "a.js", bytes: -1 })) },
  ])("refuses $what", ({ bytes }) => {
    expect(parseJailOutput(bytes)).toBeUndefined();
  });
});

test("the answer is as long as its line and its files say, and nothing is said before the line is there", () => {
  const whole = output(withFiles({ name: "a.js", bytes: 2 }, { name: "b.core.wasm", bytes: 3 }), "aabbb");
  const lineBytes = whole.length - 5;
  expect(answerLength(whole.subarray(0, lineBytes - 1))).toBeUndefined();
  expect(answerLength(whole.subarray(0, lineBytes))).toBe(whole.length);
  expect(answerLength(output({ outcome: "invalid", message: "no" }))).toBe(
    output({ outcome: "invalid", message: "no" }).length,
  );
});
