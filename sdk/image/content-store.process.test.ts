import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ContentStore } from "./content-store.ts";

// Found by dead-code tools, too, when it is named like this.
const program = fileURLToPath(new URL("./kill-ingest.fixture.ts", import.meta.url));
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "shallop-kill-"));
});

afterEach(() => rm(directory, { recursive: true, force: true }));

test("kill -9 while blobs are written, many times: every blob that has a name is whole", async () => {
  for (let round = 0; round < 8; round++) {
    const child = spawn(process.execPath, [program, directory], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    // On a busy machine none would be whole: it has begun with the second one.
    if (round % 4 === 3) await once(child.stdout, "data");
    await sleep(10 + round * 9);
    child.kill("SIGKILL");
    await once(child, "close");
  }
  const store = await ContentStore.open(directory);
  const blobs = await Array.fromAsync(store.list());
  expect(blobs.length).toBeGreaterThan(0);
  for (const blob of blobs) {
    expect(blob.sizeBytes).toBe(3_000_000);
    await store.readBytes({ digest: blob.digest, size: blob.sizeBytes });
  }
  const left = (await readdir(join(directory, "ingest"))).length;
  expect(left).toBeGreaterThan(0);
  await store.collect({ roots: blobs.map((blob) => blob.digest), keepSinceMs: Number.MAX_VALUE });
  expect(await readdir(join(directory, "ingest"))).toEqual([]);
  expect(await Array.fromAsync(store.list())).toHaveLength(blobs.length);
});
