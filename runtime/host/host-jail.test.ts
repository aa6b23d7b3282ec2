import { expect, test } from "vitest";
import { hostLimits } from "./host-jail.ts";

const mebibyte = 1024 * 1024;

test("a host process may use what its pods may, and what it needs itself", () => {
  expect(hostLimits([])).toEqual({ memoryBytes: 320 * mebibyte, cpu: 1, pidsMax: 64 });
  const pods = [
    { memoryBytes: 128 * mebibyte, cpu: 0.5 },
    { memoryBytes: 64 * mebibyte, cpu: 2 },
  ];
  expect(hostLimits(pods)).toEqual({ memoryBytes: (320 + 128 + 64 + 2 * 64) * mebibyte, cpu: 3.5, pidsMax: 68 });
});
