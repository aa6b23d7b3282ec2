import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { hostSocket, hostSockets, podSocket, removeHostFiles, removeStalePodSockets } from "./run-files.ts";

test("files of the dead go, those of the living and of others stay", async () => {
  const directory = await mkdtemp(join(tmpdir(), "sh-"));
  const dead = hostSocket(directory, "dead1");
  const files = [dead, `${dead}.log`, `${dead}.3`, hostSocket(directory, "dead12"), join(directory, "agent.sock")];
  for (const path of [...files, podSocket(directory, "a"), podSocket(directory, "b")]) await writeFile(path, "");
  expect(new Set(await hostSockets(directory))).toEqual(new Set([dead, hostSocket(directory, "dead12")]));
  await removeHostFiles(dead);
  await removeStalePodSockets(directory, new Set(["b"]));
  expect((await readdir(directory)).toSorted()).toEqual(["agent.sock", "h-dead12.sock", "p-b.sock"]);
  await rm(directory, { recursive: true });
});

test("a pod's socket fits a unix address in a directory of 60 bytes", () => {
  const uid = "123e4567-e89b-12d3-a456-426614174000";
  expect(podSocket("d".repeat(60), uid).length).toBeLessThanOrEqual(107);
});
