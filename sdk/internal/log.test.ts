import { expect, test } from "vitest";
import { jsonLog, type ProcessRecord } from "./log.ts";

function open() {
  const lines: Record<string, unknown>[] = [];
  const log = jsonLog("agent", (line) => lines.push(JSON.parse(line) as Record<string, unknown>));
  const heard: ProcessRecord[] = [];
  return { log, lines, heard, hear: (record: ProcessRecord): void => void heard.push(record) };
}

test("a record is a line, with the fields of its log and its own, and an error's sentence and code", () => {
  const { log, lines } = open();
  log
    .with({ pod: "a", node: "n" })
    .error("it broke", Object.assign(new Error("why"), { code: "IN_USE" }), { node: "m" });
  expect(lines).toEqual([
    {
      ...{ time: expect.any(String), level: "error", process: "agent", message: "it broke", pod: "a", node: "m" },
      ...{ error: "why", code: "IN_USE" },
    },
  ]);
});

test("who hears of records hears of those of the start too, and never of what is local", () => {
  const { log, lines, heard, hear } = open();
  const child = log.with({ part: "x" });
  child.info("early");
  log.local.warn("not exported");
  log.exportTo(hear);
  child.info("late");
  log.local.with({ a: 1 }).warn("not exported either");
  expect(heard.map(({ level, message, fields }) => [level, message, fields])).toEqual([
    ["info", "early", { part: "x" }],
    ["info", "late", { part: "x" }],
  ]);
  expect(lines.map(({ message }) => message)).toEqual(["early", "not exported", "late", "not exported either"]);
});

test("a start that says more than a start does is kept up to its bound; without a listener nothing is", () => {
  const { log, heard, hear } = open();
  for (let count = 0; count < 300; count++) log.info(String(count));
  log.exportTo(hear);
  expect(heard.length).toBe(200);
  const other = open();
  other.log.info("early");
  other.log.exportTo(undefined);
  other.log.info("late");
  expect(other.heard).toEqual([]);
});
