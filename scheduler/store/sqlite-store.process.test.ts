import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { errorCode } from "@shallop/sdk/internal";
import { SqliteStore } from "./sqlite-store.ts";
import type { StoreEvent } from "./store.ts";

const directory = mkdtempSync(join(tmpdir(), "shallop-store-process-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const writer = join(import.meta.dirname, "writer.fixture.ts");

interface Acknowledged {
  readonly key: string;
  readonly revision: number;
  readonly value: string;
}

// A writer that is never refused would write until the disk is full.
const runMsMax = 10_000;

/** Runs `command` until it ends or `killAfterMs` after its first word, and gives the lines it said. */
async function run(command: readonly string[], killAfterMs = runMsMax): Promise<string[]> {
  const [program = "", ...parameters] = command;
  const child = spawn(program, parameters, { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  const ended = once(child, "close");
  await Promise.race([once(child.stdout, "data"), ended]);
  const timer = setTimeout(() => child.kill("SIGKILL"), killAfterMs);
  await ended;
  clearTimeout(timer);
  // The last line may be cut in the middle: that write was acknowledged, but nobody heard it.
  return output.split("\n").slice(0, -1);
}

function acknowledged(lines: readonly string[]): Acknowledged[] {
  return lines
    .filter((line) => line.startsWith("/key/"))
    .map((line) => line.split(" "))
    .map(([key = "", revision, value = ""]) => ({ key, revision: Number(revision), value }));
}

/** Every event that the store's log has after `from`, by revision. */
async function eventsAfter(store: SqliteStore, from: number): Promise<ReadonlyMap<number, StoreEvent>> {
  const events = new Map<number, StoreEvent>();
  store.watch("", from, (event) => events.set(event.revision, event));
  while (events.size < store.head() - from) await new Promise((resolve) => setTimeout(resolve, 1));
  return events;
}

async function expectAllThere(file: string, writes: readonly Acknowledged[]): Promise<number> {
  await using store = SqliteStore.open(file);
  const first = writes[0]?.revision ?? store.head() + 1;
  const events = await eventsAfter(store, first - 1);
  for (const { key, revision, value } of writes) {
    const event = events.get(revision);
    expect([event?.key, new TextDecoder().decode(event?.value)]).toEqual([key, value]);
  }
  const { entries } = store.list("/key/");
  for (const { key, revision } of writes) {
    expect(entries.find((entry) => entry.key === key)?.revision).toBeGreaterThanOrEqual(revision);
  }
  return store.head();
}

test("kill -9 at any moment costs no write that was acknowledged, and no revision is given out twice", async () => {
  const file = join(directory, "killed.db");
  let head = 0;
  for (let round = 0; round < 15; round++) {
    const writes = acknowledged(await run([process.execPath, writer, file], (round * 37) % 120));
    expect(writes.length).toBeGreaterThan(0);
    expect(Math.min(...writes.map(({ revision }) => revision))).toBeGreaterThan(head);
    const headAfter = await expectAllThere(file, writes);
    expect(headAfter).toBeGreaterThanOrEqual(Math.max(...writes.map(({ revision }) => revision)));
    head = headAfter;
  }
});

const hasStrace = spawnSync("strace", ["-V"]).status === 0;

test.skipIf(!hasStrace)(
  "an fsync that fails is told, and nothing is acknowledged after it (needs strace)",
  async () => {
    // From the first syncs of the process on; from a later commit on; once only, after which the disk seems well again.
    for (const failing of ["2+", "3+", "4+", "15+", "15", "16"]) {
      const file = join(directory, `fsync-${failing}.db`);
      await SqliteStore.open(file)[Symbol.asyncDispose]();
      const inject = `inject=fsync,fdatasync:error=EIO:when=${failing}`;
      const trace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", inject];
      const lines = await run([...trace, process.execPath, writer, file]);
      const writes = acknowledged(lines);
      const refusal = lines.findIndex((line) => line.startsWith("refused"));
      expect(lines[refusal]).toBe(`refused UNWRITABLE ${writes.length === 0 ? 0 : 5} UNWRITABLE`);
      expect(refusal).toBe(lines.length - 1);
      await expectAllThere(file, writes);
    }
  },
);

const mountPoint = mkdtempSync(join(tmpdir(), "shallop-store-full-"));
const isMounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", mountPoint]).status === 0;
afterAll(() => {
  if (isMounted) spawnSync("umount", [mountPoint]);
  rmSync(mountPoint, { recursive: true, force: true });
});

/** Takes what is left of the disk, and gives it back. */
function fillDisk(): { free(): void } {
  const filler = join(mountPoint, "filler");
  const handle = openSync(filler, "w");
  try {
    for (;;) writeSync(handle, new Uint8Array(4096));
  } catch (error) {
    expect(errorCode(error)).toBe("ENOSPC");
  }
  fsyncSync(handle);
  closeSync(handle);
  return { free: () => rmSync(filler) };
}

test.skipIf(!isMounted)(
  "a disk that is full refuses writes until there is room; reads go on (needs mount)",
  async () => {
    const file = join(mountPoint, "state.db");
    const value = new Uint8Array(20_000);
    {
      await using store = SqliteStore.open(file);
      await store.put("/a", value, 0);
      const full = fillDisk();
      await expect(store.put("/b", value, 0)).rejects.toMatchObject({ code: "UNWRITABLE", retryable: true });
      await expect(store.put("/b", value, 0)).rejects.toMatchObject({ code: "UNWRITABLE" });
      expect(store.get("/a")).toMatchObject({ revision: 1 });
      expect(store.list("").entries).toHaveLength(1);
      full.free();
      expect(await store.put("/b", value, 0)).toBe(2);
    }
    await using again = SqliteStore.open(file);
    expect(again.list("").entries.map(({ key }) => key)).toEqual(["/a", "/b"]);
  },
);
