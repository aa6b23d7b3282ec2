import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemRandom } from "@shallop/sdk/internal";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LayerDirectory } from "./layer-directory.ts";

let directory: string;
const record = { sizeBytes: 5, rootOpaque: false };
const mark = (key: string): Promise<string | undefined> =>
  readFile(join(directory, key, "unsynced"), "utf8").catch(() => undefined);
const open = (): Promise<LayerDirectory> => LayerDirectory.open(directory, systemRandom);

async function make(layers: LayerDirectory, key: string): Promise<void> {
  await layers.make(key, async (files) => {
    await writeFile(join(files, "hello"), "world");
    return record;
  });
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "shallop-layers-"));
});
afterEach(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }));

test("a layer is there before it is on the disk, and its mark goes when it is", async () => {
  const layers = await open();
  await make(layers, "one");
  expect(await layers.find("one")).toMatchObject({ key: "one", ...record });
  await expect.poll(() => mark("one")).toBeUndefined();
});

test("a layer that an earlier start of the machine may have left in pieces is made again", async () => {
  const layers = await open();
  for (const key of ["whole", "torn", "unknown"]) await make(layers, key);
  await expect
    .poll(() => Promise.all(["whole", "torn", "unknown"].map(mark)))
    .toEqual([undefined, undefined, undefined]);
  await writeFile(join(directory, "torn", "unsynced"), "another start");
  // What a loss of power makes of a file that was written a moment before.
  await writeFile(join(directory, "unknown", "unsynced"), "");
  expect((await (await open()).list()).map(({ key }) => key)).toEqual(["whole"]);
});

test("a layer that a killed process has not waited for is on the disk later", async () => {
  await make(await open(), "one");
  const start = await readFile("/proc/sys/kernel/random/boot_id", "utf8");
  await expect.poll(() => mark("one")).toBeUndefined();
  await writeFile(join(directory, "one", "unsynced"), start);
  expect(await (await open()).find("one")).toMatchObject(record);
  await expect.poll(() => mark("one")).toBeUndefined();
});
