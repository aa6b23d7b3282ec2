import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "@shallop/sdk/internal";
import { rawTar } from "../image/image.fixture.ts";
import { UnpackJail } from "../image/unpack-jail.ts";
import { JailedReader } from "./archive-jail.ts";
import { type ArchiveReader, plainReader } from "./archive-reader.ts";

// The jail answers as the reader in this process does, which the unit tests ask.

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "shallop-archive-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const jailed = new JailedReader(new UnpackJail(systemClock, process.getuid?.() === 0), new AbortController().signal);
const large = Buffer.alloc(300_000, "large");
const archive = rawTar([
  { name: "d/", flag: "5", mode: 0o700, uid: 3 },
  { name: "d/a", body: "A\nB\n" },
  { name: "d/large", body: large },
  { name: "l", flag: "2", link: "d" },
  { name: "h", flag: "1", link: "d/a" },
  { name: "caf\u00e9\n", body: "", pax: { "SCHILY.xattr.user.x": "y" } },
]);

/** All that a reader says of an archive. */
async function told(reader: ArchiveReader, bytes: Buffer): Promise<unknown> {
  const path = join(directory, "archive");
  await writeFile(path, bytes);
  try {
    const index = await reader.index(path);
    const picked: [number, string][] = [];
    const fileOf = (place: number): string => join(directory, `place-${place}`);
    await reader.pick(path, new Set([1, 2, 5]), fileOf);
    for (const place of [1, 2, 5]) {
      picked.push([place, (await readFile(fileOf(place), "latin1").catch(() => "none")).slice(0, 400_000)]);
      await rm(fileOf(place), { force: true });
    }
    return { index, picked };
  } catch (error) {
    return error instanceof Error ? `${"code" in error ? String(error.code) : ""} ${error.message}` : error;
  }
}

test.each([
  ["plain", archive],
  ["gzip", gzipSync(archive)],
  ["zstd", zstdCompressSync(archive)],
  ["cut short", archive.subarray(0, 200_000)],
  ["no archive", Buffer.from("just a text, and not a short one".repeat(100))],
  ["nothing", Buffer.alloc(0)],
  ["broken compression", gzipSync(archive).subarray(0, 500)],
])("%s", async (_, bytes) => {
  const [inside, plain] = [await told(jailed, bytes), await told(plainReader, bytes)];
  expect(inside).toEqual(plain);
  if (_ === "gzip")
    expect(plain).toMatchObject({
      index: { entries: { length: 6 } },
      picked: [
        [1, "A\nB\n"],
        [2, large.toString()],
        [5, ""],
      ],
    });
});
