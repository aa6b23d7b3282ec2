import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LogFields, silentLog } from "@shallop/sdk/internal";
import { FakeClock } from "@shallop/sdk/internal/testing";
import { expect, onTestFinished, test } from "vitest";
import { IdleBook } from "../../autoscale/idle-book.ts";
import { IdleFile } from "./idle-file.ts";

async function start() {
  const directory = await mkdtemp(join(tmpdir(), "shallop-idle-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (message: string, _fields?: LogFields) => void warnings.push(message) };
  return { file: join(directory, "idle-times.json"), clock: new FakeClock(), log, warnings };
}

test("what was learned is there after a restart, and was written without one", async () => {
  const options = await start();
  const book = new IdleBook();
  await using _file = await IdleFile.open(book, options);
  book.of("default/hello").record(600_000, 1_000);
  await options.clock.advance(60_000);
  await expect.poll(() => readFile(options.file, "utf8").catch(() => "")).toContain("default/hello");
  const next = new IdleBook();
  await using _next = await IdleFile.open(next, options);
  expect(next.of("default/hello").weight(10)).toBe(1);
  expect(options.warnings).toEqual([]);
});

test.each(["{", "[]", '"x"'])("a file that says %s is not used, and that is said", async (text) => {
  const options = await start();
  await writeFile(options.file, text);
  const book = new IdleBook();
  await using _file = await IdleFile.open(book, options);
  expect(book.toJSON()).toEqual({});
  expect(options.warnings).toEqual(["cannot use what was known of idle times"]);
});

test("entries that are something else are left out", async () => {
  const options = await start();
  const good = { weights: [[3, 2]], atMs: 1 };
  await writeFile(
    options.file,
    JSON.stringify({ a: good, b: null, c: { weights: 1, atMs: 1 }, d: { weights: [[1]], atMs: 2 } }),
  );
  const book = new IdleBook();
  await using _file = await IdleFile.open(book, options);
  expect(JSON.parse(JSON.stringify(book))).toEqual({ a: good });
});
