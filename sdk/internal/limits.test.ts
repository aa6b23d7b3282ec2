import { expect, test } from "vitest";
import { guestV8Flags } from "./guest-v8-flags.ts";
import { breachText, formatLimit, guestLimitDefaults, guestLimitNames, limitRows } from "./limits.ts";

const rows = Object.entries(limitRows);

test.each(rows)("%s: what nobody has set is within its range, and its sentence is one", (_name, row) => {
  expect(row.initial).toBeGreaterThanOrEqual(row.min);
  expect(row.initial).toBeLessThanOrEqual(row.max);
  expect(row.says("X")).toMatch(/^The [ -~]+ X[ -~]*\.$/);
});

test("annotations have names of their own", () => {
  expect(new Set(guestLimitNames.map((name) => limitRows[name].setBy)).size).toBe(guestLimitNames.length);
  expect(Object.keys(guestLimitDefaults)).toEqual([...guestLimitNames]);
});

test("V8's own limits are behind those of the table", () => {
  const flag = (name: string): number =>
    Number(guestV8Flags.find((text) => text.startsWith(`--${name}=`))?.split("=")[1]);
  expect(flag("wasm-max-table-size")).toBe(limitRows.tableEntriesMax.max);
  expect(flag("wasm-max-mem-pages") * 65_536).toBe(limitRows.memoryBytes.max);
});

test("values are written as people do", () => {
  expect(formatLimit("bytes", 256 * 2 ** 20)).toBe("256Mi");
  expect(formatLimit("bytes", 1000)).toBe("1000");
  expect(formatLimit("duration", 90_000)).toBe("1m30s");
  expect(formatLimit("duration", 250)).toBe("250ms");
  expect(formatLimit("duration", 0)).toBe("0s");
  expect(breachText("memoryBytes", 1000)).toBe("The function used up its memory of 1000 bytes.");
  expect(breachText("cpuTimeMs", 30_000)).toBe("The function used more than 30s of CPU time.");
});
