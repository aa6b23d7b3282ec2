import { mkdtemp, open, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { realSubPath, writeFilesVolume } from "./files-volume.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "shallop-files-volume-"));
});
afterEach(async () => rm(root, { recursive: true, force: true }));

const file = (path: string, text: string, mode = 0o644) => ({
  ...{ path, mode, base64: Buffer.from(text).toString("base64") },
});
const owner = process.getuid?.() ?? 0;
const read = (path: string): Promise<string> => readFile(join(root, path), "utf8");

test("files are there, with their modes, and are replaced all at once; what is open stays what it was", async () => {
  expect(await writeFilesVolume(root, [file("a", "1", 0o400), file("deep/er/b", "2"), file("old", "3")], owner)).toBe(
    true,
  );
  expect([await read("a"), await read("deep/er/b"), await read("old")]).toEqual(["1", "2", "3"]);
  expect((await stat(join(root, "a"))).mode & 0o777).toBe(0o400);
  await using opened = await open(join(root, "a"));
  expect(await writeFilesVolume(root, [file("a", "one"), file("deep/er/b", "two"), file("new", "4")], owner)).toBe(
    true,
  );
  expect([await read("a"), await read("deep/er/b"), await read("new")]).toEqual(["one", "two", "4"]);
  expect(await opened.readFile("utf8")).toBe("1");
  const names = await readdir(root);
  expect(names.filter((name) => !name.startsWith("..")).toSorted()).toEqual(["a", "deep", "new"]);
  // The link, and what it leads to.
  expect(names.filter((name) => name.startsWith(".."))).toHaveLength(2);
});

test("the same files again change nothing", async () => {
  await writeFilesVolume(root, [file("a", "1")], owner);
  const before = await stat(join(root, "a"));
  expect(await writeFilesVolume(root, [file("a", "1")], owner)).toBe(false);
  expect((await stat(join(root, "a"))).ino).toBe(before.ino);
  expect(await writeFilesVolume(root, [], owner)).toBe(true);
  expect((await readdir(root)).filter((name) => !name.startsWith(".."))).toEqual([]);
});

test("where a file really is, for a mount of it alone", async () => {
  await writeFilesVolume(root, [file("deep/a", "1")], owner);
  expect(await realSubPath(root, "deep/a")).toMatch(/^\.\.[0-9a-f]{16}\/deep\/a$/);
  expect(await realSubPath(root, "none")).toBeUndefined();
});
