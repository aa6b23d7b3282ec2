import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readProject } from "./project.ts";
import { createProject, templateNames } from "./template.ts";

describe("createProject", () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "shallop-template-"));
  });
  afterAll(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  // `component` builds one, which is in the process tests.
  test.each(templateNames.filter((name) => name !== "component"))(
    "writes %s with the project's name in it",
    async (template) => {
      const target = join(directory, template, "My App_1");
      await createProject(template, target, directory);
      expect(await readProject(target)).toMatchObject({ name: "my-app-1", version: "0.1.0" });
      expect(await readFile(join(target, "README.md"), "utf8")).not.toContain("{{");
    },
  );

  test("gives languages whose modules lie in the project what they import", async () => {
    for (const [template, file] of [
      ["go", "shallop/go.mod"],
      ["rust", "shallop/src/lib.rs"],
    ] as const) {
      const target = join(directory, "guests", template);
      await createProject(template, target, directory);
      expect(await readFile(join(target, file), "utf8")).toContain("shallop");
    }
  });

  test.each([
    ["Hello", "hello"],
    ["7up", "app-7up"],
    ["---", "app"],
    ["Größe", "gr-e"],
  ])("a directory %s makes the name %s", async (name, expected) => {
    const target = join(directory, "names", name);
    await createProject("typescript", target, directory);
    expect((await readProject(target)).name).toBe(expected);
  });

  test("knows its templates", async () => {
    const failure = await createProject("cobol", join(directory, "c"), directory).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "TEMPLATE_UNKNOWN" });
    for (const name of templateNames) expect(String(failure)).toContain(name);
  });

  test("writes into no directory that has something in it, nor over a file", async () => {
    await writeFile(join(directory, "file"), "mine");
    await expect(createProject("typescript", directory, directory)).rejects.toMatchObject({ code: "TARGET_EXISTS" });
    await expect(createProject("typescript", join(directory, "file"), directory)).rejects.toMatchObject({
      code: "TARGET_EXISTS",
    });
    expect(await readFile(join(directory, "file"), "utf8")).toBe("mine");
  });
});
