import { beforeEach, expect, test } from "vitest";
import { printed, resetWasi } from "../wasi/wasi.fake.ts";
import { console as guestConsole } from "./console.ts";

beforeEach(resetWasi);

test("log, info, debug go to stdout, warn and error to stderr", () => {
  guestConsole.log("a", { b: 1 });
  guestConsole.info("%s!", "i");
  guestConsole.debug("d");
  guestConsole.warn("w");
  guestConsole.error("e");
  expect(printed()).toEqual([
    { stream: "stdout", text: "a { b: 1 }\n" },
    { stream: "stdout", text: "i!\n" },
    { stream: "stdout", text: "d\n" },
    { stream: "stderr", text: "w\n" },
    { stream: "stderr", text: "e\n" },
  ]);
});

test("a long line leaves in writes that WASI takes", () => {
  guestConsole.log("é".repeat(5000));
  expect(printed().map(({ text }) => Buffer.byteLength(text)).length).toBe(3);
});

test("groups indent, counts count, timers measure, assertions speak when broken", () => {
  guestConsole.group("g");
  guestConsole.log("a\nb");
  guestConsole.groupEnd();
  guestConsole.count("c");
  guestConsole.count("c");
  guestConsole.time("t");
  guestConsole.timeEnd("t");
  guestConsole.timeEnd("t");
  guestConsole.assert(true, "not this");
  guestConsole.assert(0, "this");
  const text = printed().map((line) => line.text);
  expect(text).toEqual(["g\n", "  a\n  b\n", "c: 1\n", "c: 2\n", "t: 0.000ms\n", "Assertion failed: this\n"]);
});
