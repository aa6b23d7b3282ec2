import { execFile } from "node:child_process";
import { access, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { removeFiles } from "./native-pod.ts";
import { podFiles } from "./pod-files.ts";

const kernel = {
  removeTree: async (directory: string) => void (await promisify(execFile)("rm", ["-rf", "--", directory])),
};

test("directories that a program has nested deeper than a path may be long go too", async () => {
  const root = await mkdtemp(join(tmpdir(), "shallop-native-pod-"));
  const files = podFiles(root, "key");
  // 15 names of 200 bytes are a path; twice as many are none.
  const half = (name: string): string => join(name, ...Array<string>(15).fill("d".repeat(200)));
  await mkdir(half(files.directory), { recursive: true });
  await mkdir(half(join(root, "other")), { recursive: true });
  await rename(join(root, "other"), join(half(files.directory), "other"));
  await removeFiles(files, kernel);
  await expect(access(files.directory)).rejects.toMatchObject({ code: "ENOENT" });
  await removeFiles(files, kernel);
  await rm(root, { recursive: true });
});
