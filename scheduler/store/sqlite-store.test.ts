import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { open as openFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, expect, test } from "vitest";
import { errorCode } from "@shallop/sdk/internal";
import { historyContract } from "./history.contract.ts";
import { LogDatabase } from "./log-database.ts";
import { SqliteStore } from "./sqlite-store.ts";
import { storeContract } from "./store.contract.ts";

const directory = mkdtempSync(join(tmpdir(), "shallop-store-"));
afterAll(() => rmSync(directory, { recursive: true }));
let files = 0;
const freshFile = (): string => join(directory, `state-${files++}.db`);

storeContract("SQLite", () => Promise.resolve(SqliteStore.open(freshFile())));
historyContract("SQLite", () => Promise.resolve(SqliteStore.open(freshFile())));

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const refusal = (call: () => unknown): string | undefined => {
  try {
    call();
    return undefined;
  } catch (error) {
    return errorCode(error);
  }
};

test("commits are synced to disk, and the file is one process's own", async () => {
  const database = LogDatabase.open(freshFile());
  await using _store = new SqliteStore(database);
  expect(database.pragma("synchronous")).toBe(2);
  expect(database.pragma("journal_mode")).toBe("wal");
  expect(database.pragma("locking_mode")).toBe("exclusive");
});

test("what was written is there after the store was opened again, and revisions go on", async () => {
  const file = freshFile();
  {
    await using store = SqliteStore.open(file);
    await store.put("/a", bytes("1"), 0);
    await store.put("/b", bytes("2"), 0);
    await store.put("/a", bytes("3"), 1);
  }
  await using store = SqliteStore.open(file);
  expect(store.head()).toBe(3);
  expect(store.list("").entries.map(({ key, revision, createRevision }) => [key, revision, createRevision])).toEqual([
    ["/a", 3, 1],
    ["/b", 2, 2],
  ]);
  const seen: number[] = [];
  store.watch("", 0, ({ revision }) => seen.push(revision));
  expect(await store.put("/a", bytes("4"), 3)).toBe(4);
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(seen).toEqual([1, 2, 3, 4]);
});

test("a revision is never given out twice, even when compaction has removed the newest row", async () => {
  const file = freshFile();
  {
    await using store = SqliteStore.open(file);
    await store.put("/a", bytes("1"), 0);
    await store.delete("/a", 1);
    await store.compact(2);
  }
  await using store = SqliteStore.open(file);
  expect(store.head()).toBe(2);
  expect(refusal(() => store.list("", { at: 1 }))).toBe("COMPACTED");
  expect(await store.put("/a", bytes("2"), 0)).toBe(3);
});

test("compaction does not take away what a watch has yet to read from the log", async () => {
  const file = freshFile();
  {
    await using store = SqliteStore.open(file);
    await Promise.all(Array.from({ length: 3000 }, (_, count) => store.put("/a", bytes(String(count)), count)));
  }
  await using store = SqliteStore.open(file);
  const seen: number[] = [];
  store.watch("", 0, ({ revision }) => seen.push(revision));
  await store.compact(3000);
  await expect.poll(() => seen.length).toBe(3000);
  expect(seen).toEqual(Array.from({ length: 3000 }, (_, count) => count + 1));
  await store.compact(3000);
  expect(refusal(() => store.list("", { at: 2999 }))).toBe("COMPACTED");
});

test("closing writes what waits", async () => {
  const file = freshFile();
  const store = SqliteStore.open(file);
  const write = store.put("/a", bytes("1"), 0);
  await store[Symbol.asyncDispose]();
  expect(await write).toBe(1);
  await using again = SqliteStore.open(file);
  expect(again.get("/a")).toBeDefined();
});

test("compaction makes room: a key that is written over and over keeps the file small", async () => {
  const file = freshFile();
  const database = LogDatabase.open(file);
  database.limitPages(200);
  await using store = new SqliteStore(database);
  let revision = 0;
  for (let count = 0; count < 2000; count++) {
    revision = await store.put("/a", new Uint8Array(1000).fill(count), revision);
    if (count % 100 === 0) await store.compact(revision);
  }
  expect(store.get("/a")?.value[0]).toBe(1999 % 256);
});

test("with the disk full writes are refused and reads go on; with room again, writes go on too", async () => {
  const database = LogDatabase.open(freshFile());
  await using store = new SqliteStore(database);
  await store.put("/a", bytes("1"), 0);
  database.limitPages(1);
  const big = new Uint8Array(100_000);
  const outcomes = await Promise.allSettled([
    store.put("/b", big, 0),
    store.put("/b", big, 0),
    store.put("/a", big, 1),
  ]);
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({ status: "rejected", reason: { code: "UNWRITABLE", retryable: true } });
  }
  expect(store.head()).toBe(1);
  expect(store.get("/b")).toBeUndefined();
  expect(store.list("").entries).toHaveLength(1);
  database.limitPages(10_000);
  expect(await store.put("/b", big, 0)).toBe(2);
});

test("more writes than may wait are refused, those before them are not", async () => {
  await using store = SqliteStore.open(freshFile());
  const writes = Array.from({ length: 20_001 }, (_, index) => store.put(`/${index}`, bytes(""), 0));
  const outcomes = await Promise.allSettled(writes);
  expect(outcomes.filter(({ status }) => status === "rejected")).toHaveLength(1);
  expect(outcomes.at(-1)).toMatchObject({ reason: { code: "UNWRITABLE", retryable: true } });
  expect(store.head()).toBe(20_000);
});

test("a file that a store cannot be is refused, each with its own code", async () => {
  const text = freshFile();
  writeFileSync(
    text,
    "this is a letter to my aunt, and quite long enough to be taken for a database header, is it not?",
  );
  expect(refusal(() => SqliteStore.open(text))).toBe("NOT_A_STORE");

  const foreign = freshFile();
  const other = new DatabaseSync(foreign);
  other.exec("CREATE TABLE recipes (name TEXT)");
  other.close();
  expect(refusal(() => SqliteStore.open(foreign))).toBe("NOT_A_STORE");

  const newer = freshFile();
  await SqliteStore.open(newer)[Symbol.asyncDispose]();
  const raised = new DatabaseSync(newer);
  raised.exec("PRAGMA user_version = 99");
  raised.close();
  expect(refusal(() => SqliteStore.open(newer))).toBe("SCHEMA_NEWER");

  expect(refusal(() => SqliteStore.open(join(directory, "nowhere", "state.db")))).toBe("UNWRITABLE");
});

test("a store that is open elsewhere is refused, and can be opened when that one is closed", async () => {
  const file = freshFile();
  {
    await using _store = SqliteStore.open(file);
    expect(refusal(() => SqliteStore.open(file))).toBe("IN_USE");
  }
  await using again = SqliteStore.open(file);
  expect(again.head()).toBe(0);
});

test("a damaged file is refused, wherever the damage is", async () => {
  const whole = freshFile();
  {
    await using store = SqliteStore.open(whole);
    for (let key = 0; key < 300; key++) await store.put(`/${key}`, new Uint8Array(500).fill(key), 0);
  }
  const codes = new Set<string | undefined>();
  for (const page of [1, 2, 3, 10, 30]) {
    const damaged = freshFile();
    copyFileSync(whole, damaged);
    const handle = await openFile(damaged, "r+");
    await handle.write(Buffer.alloc(2000, 0xa5), 0, 2000, page * 4096);
    await handle.close();
    codes.add(refusal(() => SqliteStore.open(damaged)));
  }
  expect([...codes]).toEqual(["CORRUPT"]);
});
