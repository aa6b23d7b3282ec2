import { describe, expect, test } from "vitest";
import { instanceReuse } from "../internal/reuse.ts";
import { instanceReuseOf } from "./reuse.ts";
import { validateLimits } from "./validation/limits.ts";

test("annotations set how instances are used again", () => {
  const given = {
    "reuse.shallop.dev/requests": "50",
    "reuse.shallop.dev/at-once": "4",
    "reuse.shallop.dev/idle-time": "1m",
  };
  expect(validateLimits(given, "a")).toEqual([]);
  expect(instanceReuseOf(given)).toEqual({ requestsMax: 50, atOnceMax: 4, idleMs: 60_000 });
  expect(instanceReuseOf()).toEqual({});
});

test.each([
  ["requests", "0", "must be a whole number from 1 to 1000000"],
  ["requests", "many", "must be a whole number from 1 to 1000000"],
  ["at-once", "1001", "must be a whole number from 1 to 1000"],
  ["idle-time", "5", "must be a duration, such as 10s, from 10ms to 60m"],
])("%s: %o is refused, and counts as not given", (name, value, message) => {
  const key = `reuse.shallop.dev/${name}`;
  const [cause, ...more] = validateLimits({ [key]: value }, "metadata.annotations");
  expect([cause?.message, more]).toEqual([expect.stringContaining(message), []]);
  expect(instanceReuseOf({ [key]: value })).toEqual({});
});

test("a name that is none is refused with those that there are", () => {
  const [cause] = validateLimits({ "reuse.shallop.dev/request": "1" }, "a");
  expect(cause?.message).toMatch(/reuse\.shallop\.dev\/requests.*reuse\.shallop\.dev\/at-once/);
  expect(cause?.message).not.toMatch(/limits/);
});

describe("what is asked for", () => {
  test.each([
    { wanted: {}, isConcurrent: true, reuse: { requestsMax: 128, atOnceMax: 16, idleMs: 1000 } },
    { wanted: {}, isConcurrent: false, reuse: { requestsMax: 1, atOnceMax: 1, idleMs: 1000 } },
    { wanted: { requestsMax: 1 }, isConcurrent: true, reuse: { requestsMax: 1, atOnceMax: 1, idleMs: 1000 } },
    { wanted: { requestsMax: 9 }, isConcurrent: false, reuse: { requestsMax: 9, atOnceMax: 1, idleMs: 1000 } },
    { wanted: { atOnceMax: 9 }, isConcurrent: false, reuse: { requestsMax: 1, atOnceMax: 1, idleMs: 1000 } },
    { wanted: { atOnceMax: 9, idleMs: 50 }, isConcurrent: true, reuse: { requestsMax: 128, atOnceMax: 9, idleMs: 50 } },
  ])("$wanted, concurrent: $isConcurrent", ({ wanted, isConcurrent, reuse }) => {
    expect(instanceReuse(wanted, isConcurrent)).toEqual(reuse);
  });
});
