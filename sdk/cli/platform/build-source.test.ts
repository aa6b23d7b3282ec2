import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ownPlatform } from "../../build/index.ts";
import { createContext } from "../context.ts";
import { buildArgsOf, type BuildFlags, knownEscapes, platformsOf, runLimits } from "./build-flags.ts";
import { buildSource } from "./build-source.ts";

const flags: BuildFlags = {
  ...{
    buildArg: [],
    label: [],
    platform: [],
    entrypoint: [],
    cache: true,
    network: "none",
    memory: "2Gi",
    pids: "100",
  },
  ...{ timeout: "1h", knownEscapes: "refuse" },
};
const usage = (message: RegExp) =>
  expect.objectContaining({ code: "USAGE", message: expect.stringMatching(message) }) as Error;

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "shallop-source-"));
  const files: Readonly<Record<string, string>> = {
    "project/shallop.yaml": "name: p\nnative:\n  - dockerfile: Dockerfile\n",
    "project/Dockerfile": "FROM scratch\n",
    "My App/Containerfile": "FROM scratch\n",
    "empty/readme": "",
    "app.wasm": "",
    "context.tar.gz": "",
  };
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(directory, name, ".."), { recursive: true });
    await writeFile(join(directory, name), text);
  }
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe("what shallop build PATH means", () => {
  const project = async (path: string, more: Partial<BuildFlags> = {}) => {
    await using source = await buildSource(join(directory, path), { ...flags, ...more });
    return source.project;
  };

  test("a project goes before its Dockerfile, unless the Dockerfile is named", async () => {
    expect(await project("project")).toMatchObject({ name: "p", native: [{ dockerfile: "Dockerfile" }] });
    const file = join(directory, "project/Dockerfile");
    expect(await project("project", { file, target: "x" })).toMatchObject({
      ...{ name: "project", version: "latest" },
      native: [{ kind: "dockerfile", dockerfile: file, context: join(directory, "project"), target: "x" }],
    });
  });

  test("a directory with a Containerfile, under a name that an image can have", async () => {
    expect(await project("My App")).toMatchObject({
      name: "my-app",
      native: [{ dockerfile: join(directory, "My App/Containerfile") }],
    });
  });

  test("a component, an archive with a Dockerfile, a root file system", async () => {
    expect(await project("app.wasm")).toMatchObject({
      name: "app",
      wasm: { source: join(directory, "app.wasm") },
      native: [],
    });
    expect(await project("context.tar.gz")).toMatchObject({ name: "context", native: [{ dockerfile: "Dockerfile" }] });
    const rootfs = { rootfs: true, platform: ["linux/arm64,linux/amd64"], entrypoint: ["/a", "b"] };
    expect(await project("context.tar.gz", rootfs)).toMatchObject({
      native: [
        { kind: "rootfs", platform: "linux/arm64", entrypoint: ["/a", "b"] },
        { kind: "rootfs", platform: "linux/amd64" },
      ],
    });
  });

  test("nothing that could be built, or nothing at all, is told of", async () => {
    await expect(project("empty")).rejects.toMatchObject({ code: "PROJECT_INVALID" });
    await expect(project("none", { rootfs: true })).rejects.toThrow(usage(/no directory or archive/));
    await expect(buildSource("https://example.org/x.git", flags)).rejects.toThrow(usage(/clone it/));
  });
});

describe("flags", () => {
  test("limits of RUN", () => {
    expect(runLimits({ ...flags, cpus: "1.5", timeout: "90s" }, 8)).toEqual({
      ...{ network: "none", memoryBytes: 2 * 1024 ** 3, cpu: 1.5, pidsMax: 100, timeoutMs: 90_000 },
    });
    expect(runLimits(flags, 8).cpu).toBe(8);
  });

  test.each([
    [{ network: "bridge" }, /--network.*none and host/],
    [{ memory: "much" }, /--memory/],
    [{ cpus: "0" }, /--cpus/],
    [{ pids: "0" }, /--pids/],
    [{ pids: "1000000" }, /--pids/],
    [{ timeout: "soon" }, /--timeout/],
  ])("%o is refused", (wrong, message) => {
    expect(() => runLimits({ ...flags, ...wrong }, 1)).toThrow(usage(message));
  });

  test("platforms, with commas and again; arguments of the environment", () => {
    expect(platformsOf(flags)).toBeUndefined();
    const platform = ["wasm,linux/amd64", "linux/amd64", "linux/arm64/v8"];
    expect(platformsOf({ ...flags, platform })).toEqual(["wasm", "linux/amd64", "linux/arm64/v8"]);
    expect(platformsOf({ ...flags, platform: ["linux"] })).toEqual([ownPlatform()]);
    expect(() => platformsOf({ ...flags, platform: ["windows/amd64"] })).toThrow(usage(/windows/));
    const context = createContext({ HOME_ARG: "h" });
    expect(buildArgsOf({ ...flags, buildArg: ["A=b=c", "HOME_ARG", "NOT_SET"] }, context)).toEqual({
      A: "b=c",
      HOME_ARG: "h",
    });
    expect(() => buildArgsOf({ ...flags, buildArg: ["=x"] }, context)).toThrow(usage(/--build-arg/));
    expect(() => knownEscapes({ ...flags, knownEscapes: "maybe" })).toThrow(usage(/refuse or allow/));
  });
});
