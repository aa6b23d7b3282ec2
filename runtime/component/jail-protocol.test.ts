import { describe, expect, test } from "vitest";
import { parseJailOutput } from "./jail-protocol.ts";

const prepared = {
  outcome: "prepared",
  wasiVersion: "0.2.0",
  form: "linked",
  purpose: "serve",
  entry: "wasi:http/incoming-handler@0.2.0",
  imports: [],
  exports: [],
};
const lineOf = (answer: unknown): Buffer => Buffer.from(`${JSON.stringify(answer)}\n`);
const withFiles = (...files: { name: unknown; bytes: unknown }[]): unknown => ({ ...prepared, files });

describe("parseJailOutput", () => {
  test("gives each file its bytes", () => {
    const answer = withFiles({ name: "a.js", bytes: 2 }, { name: "b.core.wasm", bytes: 3 });
    const parsed = parseJailOutput(lineOf(answer), Buffer.from("aabbb"));
    expect(parsed?.contents.get("a.js")?.toString()).toBe("aa");
    expect(parsed?.contents.get("b.core.wasm")?.toString()).toBe("bbb");
  });

  test.each([
    { what: "nothing", line: Buffer.alloc(0) },
    { what: "no line", line: Buffer.from("{}") },
    { what: "no JSON", line: Buffer.from("hello\n") },
    { what: "more than a line", line: Buffer.concat([lineOf(withFiles()), Buffer.from("more")]) },
    { what: "an unknown outcome", line: lineOf({ outcome: "won" }) },
    { what: "missing fields", line: lineOf({ outcome: "prepared", files: [] }) },
    { what: "a file that is cut short", line: lineOf(withFiles({ name: "a.js", bytes: 5 })), files: "aa" },
    { what: "bytes of no file", line: lineOf(withFiles()), files: "aa" },
    { what: "a name that leads out", line: lineOf(withFiles({ name: "../a.js", bytes: 0 })) },
    { what: "a name without an end", line: lineOf(withFiles({ name: "passwd", bytes: 0 })) },
    { what: "a negative size", line: lineOf(withFiles({ name: "a.js", bytes: -1 })) },
  ])("refuses $what", ({ line, files = "" }) => {
    expect(parseJailOutput(line, Buffer.from(files))).toBeUndefined();
  });
});
