import { mkdir, mkdtemp, readdir, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  hostDirectories,
  hostDirectory,
  hostPodSocket,
  linkPodSocket,
  podSocket,
  removeStalePodSockets,
  removeStray,
} from "./run-files.ts";

const uid = "123e4567-e89b-12d3-a456-426614174000";

test("files of the dead go, those of the living and of others stay", async () => {
  const directory = await mkdtemp(join(tmpdir(), "sh-"));
  const [dead, live] = [hostDirectory(directory, "dead12"), hostDirectory(directory, "live12")];
  for (const path of [dead, live]) await mkdir(path);
  for (const path of [`${dead}.pid`, `${live}.pid`, join(directory, "agent.sock")]) await writeFile(path, "");
  for (const path of [podSocket(directory, "a"), podSocket(directory, "b")]) await writeFile(path, "");
  expect(new Set(await hostDirectories(directory))).toEqual(new Set([dead, live]));
  await removeStray(directory, new Set(["h-live12"]));
  await removeStalePodSockets(directory, new Set(["b"]));
  expect((await readdir(directory)).toSorted()).toEqual(["agent.sock", "h-live12", "h-live12.pid", "p-b.sock"]);
  await rm(directory, { recursive: true });
});

test("a pod's link is put in the place of an older one", async () => {
  const directory = await mkdtemp(join(tmpdir(), "sh-"));
  const path = podSocket(directory, uid);
  linkPodSocket(path, "first");
  linkPodSocket(path, "second");
  expect(await readlink(path)).toBe("second");
  expect(await readdir(directory)).toHaveLength(1);
  await rm(directory, { recursive: true });
});

test("a pod's sockets fit a unix address in a directory of 55 bytes", () => {
  const directory = "d".repeat(55);
  expect(podSocket(directory, uid).length).toBeLessThanOrEqual(103);
  expect(hostPodSocket(hostDirectory(directory, "abcdef"), uid).length).toBeLessThanOrEqual(103);
});
