import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ContentStore } from "../image/index.ts";
import { buildProject } from "./build-project.ts";
import type { Project } from "./project.ts";

test("a build that has nothing to build leaves no directory behind", async () => {
  const directory = await mkdtemp(join(tmpdir(), "shallop-nothing-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const store = await ContentStore.open(join(directory, "store"));
  const before = process.env["TMPDIR"];
  process.env["TMPDIR"] = directory;
  const project: Project = {
    ...{ directory, name: "p", version: "1", native: [] },
    wasm: { source: "a.ts", engine: "quickjs", args: [], libc: false },
  };
  // Where its directory goes is decided at once.
  const building = buildProject(project, store, {
    ...{ platforms: ["linux/s390x"], cacheDirectory: directory, environment: {} },
  });
  if (before === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = before;
  await expect(building).rejects.toMatchObject({ code: "PROJECT_INVALID" });
  expect(await readdir(directory)).toEqual(["store"]);
});
