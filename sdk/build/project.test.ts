import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { projectFile, readProject } from "./project.ts";

describe("shallop.yaml", () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "shallop-project-"));
  });
  afterAll(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  const read = async (text: string): Promise<unknown> => {
    await writeFile(join(directory, projectFile), text);
    return readProject(directory);
  };

  test("is read with its defaults", async () => {
    expect(await read("name: hello\nwasm:\n  source: src/index.ts\n")).toEqual({
      directory,
      name: "hello",
      version: "latest",
      native: [],
      wasm: { source: "src/index.ts", engine: "quickjs", args: [], libc: false },
    });
  });

  test("is read with all it may have", async () => {
    const text = `name: team/hello
version: 1.5
wasm: { source: a.ts, engine: starlingmonkey }
tools: /opt/compilers/bin
native:
  - source: a.c
    args: [-DX]
  - node: a.ts
    env: [A=1]
  - rootfs: root.tar
    platform: linux/arm64
    entrypoint: [/server]
    cmd: [--port, 8080]
    env: [B=2]
    user: "1:1"
    workingDir: /srv
`;
    expect(await read(text)).toMatchObject({
      name: "team/hello",
      version: "1.5",
      wasm: { engine: "starlingmonkey" },
      tools: "/opt/compilers/bin",
      native: [
        { kind: "compiled", source: "a.c", args: ["-DX"], env: [] },
        { kind: "node", source: "a.ts", env: ["A=1"] },
        {
          kind: "rootfs",
          rootfs: "root.tar",
          platform: "linux/arm64",
          entrypoint: ["/server"],
          cmd: ["--port", "8080"],
          env: ["B=2"],
          user: "1:1",
          workingDir: "/srv",
        },
      ],
    });
  });

  // Each row: what is written, and every field that the one message must name.
  test.each([
    { text: "", names: ["the file: must be a mapping"] },
    { text: "[]", names: ["the file: must be a mapping"] },
    { text: "name: hello", names: ["wasm: an image needs"] },
    { text: "wasm: {source: a.ts}", names: ["name: must be a text"] },
    { text: "name: Hello World\nwasm: {source: a.ts}", names: ["name: "] },
    { text: "name: a\nversion: a b\nwasm: {source: a.ts}", names: ["version: "] },
    {
      text: "name: a\ncolour: red\nwasm: {sauce: a.ts}",
      names: ["colour: is unknown", "wasm.sauce: is unknown", "wasm.source: must be a text"],
    },
    {
      text: "name: a\nwasm: {source: a.ts, engine: v8}",
      names: ["wasm.engine: must be one of quickjs, starlingmonkey"],
    },
    { text: "name: a\nwasm: a.ts", names: ["wasm: must be a mapping"] },
    { text: "name: a\nnative: {}", names: ["native: must be a list"] },
    { text: "name: a\nnative: [5]", names: ["native[0]: must be a mapping"] },
    { text: "name: a\nnative: [{rootfs: r}]", names: ["native[0].platform: must be"] },
    { text: "name: a\nnative: [{rootfs: r, platform: windows/amd64}]", names: ["native[0].platform: must be linux/"] },
    {
      text: "name: a\nnative: [{rootfs: r, platform: linux/amd64, env: A, cmd: [{}]}]",
      names: ["native[0].env: must be a list", "native[0].cmd[0]: must be a text"],
    },
    { text: "name: a\nnative: [{node: a.ts, rootfs: r}]", names: ["native[0].rootfs: "] },
    { text: "name: a\nnative: [{node: a.ts, user: x}]", names: ["native[0].user: "] },
    {
      text: "name: a\nwasm: {source: a.ts, libc: true, args: [-O3]}",
      names: ["wasm.libc: is for C", "wasm.args: is for a compiler"],
    },
    {
      text: "name: a\nwasm: {source: a.c, libc: 1, args: x, engine: quickjs}",
      names: ["wasm.libc: must be true or false", "wasm.args: must be a list", "wasm.engine: is for JavaScript"],
    },
    { text: "name: a\nnative: [{source: a.ts}]", names: ["native[0].source: a.ts is none of"] },
    {
      text: "name: a\nnative: [{source: a.c, node: a.ts, user: x, colour: red}]",
      names: ["native[0].source: does not go with node", "native[0].user: does not go", "native[0].colour: is unknown"],
    },
    { text: "name: [\n", names: ["is no YAML"] },
    { text: "a: &a [1]\nb: [*a, *a\n", names: ["is no YAML"] },
  ])("names what is wrong in $text", async ({ text, names }) => {
    const failure = await read(text).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "PROJECT_INVALID" });
    for (const name of names) expect(String(failure)).toContain(name);
  });

  test("with aliases that multiply is refused, not expanded", async () => {
    const bomb = ["a: &a [x, x, x, x, x, x, x, x, x, x]"];
    for (let level = 1; level < 9; level++) {
      const previous = `*${String.fromCharCode(96 + level)}`;
      bomb.push(
        `${String.fromCharCode(97 + level)}: &${String.fromCharCode(97 + level)} [${Array.from({ length: 10 }, () => previous).join(", ")}]`,
      );
    }
    await expect(read(bomb.join("\n"))).rejects.toMatchObject({ code: "PROJECT_INVALID" });
  });

  test("that is missing says how to make one", async () => {
    const failure = await readProject(join(directory, "nowhere")).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "PROJECT_INVALID" });
    expect(String(failure)).toContain("shallop new typescript");
  });

  test("a Dockerfile, with what it may have, and with none of it", async () => {
    const text = `name: a
native:
  - dockerfile: Dockerfile
  - dockerfile: deploy/Containerfile
    context: ..
    target: server
    buildArgs: { VERSION: 1.5, NAME: x }
    platform: [linux/amd64, linux/arm64/v8]
`;
    expect(await read(text)).toMatchObject({
      native: [
        { kind: "dockerfile", dockerfile: "Dockerfile", context: ".", buildArgs: {}, platforms: [] },
        {
          ...{ kind: "dockerfile", dockerfile: "deploy/Containerfile", context: "..", target: "server" },
          buildArgs: { VERSION: "1.5", NAME: "x" },
          platforms: ["linux/amd64", "linux/arm64/v8"],
        },
      ],
    });
    const wrong =
      "name: a\nnative:\n  - dockerfile: D\n    cmd: [x]\n    buildArgs: [x]\n    platform: windows/amd64\n";
    await expect(read(wrong)).rejects.toThrow(
      /cmd: does not go with dockerfile.*must be linux.*buildArgs: must be a mapping/s,
    );
  });
});
