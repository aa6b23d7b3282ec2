import { expect, test } from "vitest";
import { guestLimitDefaults } from "../internal/limits.ts";
import { guestLimitsOf } from "./limits.ts";
import { validateLimits } from "./validation/limits.ts";

const detail = (key: string, value: string): readonly string[] =>
  validateLimits({ [key]: value }, "metadata.annotations").map(({ message }) => message);

test("annotations set limits, and what they do not say is as ever", () => {
  expect(guestLimitsOf({})).toEqual(guestLimitDefaults);
  const given = {
    "limits.shallop.dev/cpu-time": "1m30s",
    "limits.shallop.dev/header-bytes": "16Ki",
    "limits.shallop.dev/handles": "100",
  };
  expect(validateLimits(given, "a")).toEqual([]);
  expect(guestLimitsOf(given)).toEqual({
    ...guestLimitDefaults,
    ...{ cpuTimeMs: 90_000, headerBytesMax: 16_384, handlesMax: 100 },
  });
});

test.each([
  ["cpu-time", "1", "must be a duration, such as 10s, from 100ms to 10m"],
  ["cpu-time", "99ms", "from 100ms to 10m"],
  ["cpu-time", "11m", "from 100ms to 10m"],
  ["handles", "1.5", "must be a whole number from 16 to 100000"],
  ["handles", "-1", "from 16 to 100000"],
  ["handles", "NaN", "from 16 to 100000"],
  ["handles", "", "from 16 to 100000"],
  ["header-bytes", "1Gi", "must be bytes, such as 64Ki, from 1Ki to 64Ki"],
  ["log-bytes-per-second", "0", "from 1Ki to 1Mi"],
])("%s: %o is refused, and counts as not given", (name, value, message) => {
  const key = `limits.shallop.dev/${name}`;
  expect(detail(key, value)).toEqual([expect.stringContaining(message)]);
  expect(guestLimitsOf({ [key]: value })).toEqual(guestLimitDefaults);
});

test("a name that is none is refused with those that there are", () => {
  expect(detail("limits.shallop.dev/handels", "5")).toEqual([
    expect.stringMatching(/limits\.shallop\.dev\/cpu-time.*limits\.shallop\.dev\/handles/),
  ]);
  expect(detail("shallop.dev/handles", "5")).toEqual([]);
});
