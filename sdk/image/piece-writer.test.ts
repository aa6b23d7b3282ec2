import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { PieceWriter } from "./piece-writer.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "shallop-pieces-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

test("pieces are in the file in their order, however many come while it writes", async () => {
  const path = join(directory, "pieces");
  await using file = await open(path, "wx");
  const writer = new PieceWriter(file);
  const pieces = Array.from({ length: 50 }, (_, index) => Buffer.alloc(index * 1000, index));
  for (const piece of pieces) await writer.write(piece);
  await writer.flush();
  expect((await readFile(path)).equals(Buffer.concat(pieces))).toBe(true);
});

test("what could not be written is told at the latest when all is to be written", async () => {
  const file = await open(join(directory, "closed"), "wx");
  const writer = new PieceWriter(file);
  await file.close();
  await writer.write(Buffer.from("a"));
  await expect(writer.flush()).rejects.toMatchObject({ code: "EBADF" });
  await expect(writer.write(Buffer.alloc(2 ** 20))).rejects.toMatchObject({ code: "EBADF" });
});
