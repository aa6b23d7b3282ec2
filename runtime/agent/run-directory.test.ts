import { chmod, mkdtemp, rm, stat, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { runDirectory } from "./run-directory.ts";

async function open() {
  const directory = await mkdtemp(path.join(tmpdir(), "r-"));
  return { directory, [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }) };
}

test("is short, this user's alone, and the same for the same data whatever link led there", async () => {
  await using it = await open();
  const link = path.join(it.directory, "link");
  await symlink(it.directory, link);
  const run = await runDirectory(it.directory, it.directory);
  expect(await runDirectory(link, it.directory)).toBe(run);
  expect((await stat(run)).mode & 0o777).toBe(0o700);
  expect(path.basename(run).length).toBeLessThan(30);
});

test("one that others can enter is refused", async () => {
  await using it = await open();
  await chmod(await runDirectory(it.directory, it.directory), 0o755);
  await expect(runDirectory(it.directory, it.directory)).rejects.toMatchObject({ code: "NOT_OURS" });
});

test("a base that is not there, or too long for sockets, is not used", async () => {
  await using it = await open();
  const run = await runDirectory(it.directory, path.join(it.directory, "none"));
  expect(path.dirname(run)).toBe("/tmp");
  expect(await runDirectory(it.directory, `/tmp/${"long".repeat(20)}`)).toBe(run);
  await rm(run, { recursive: true });
});
