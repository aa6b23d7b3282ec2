import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import type { IndexEntry } from "../../build/archive-entries.ts";
import { emptyConfig } from "../../build/container-config.ts";
import { type DirectoryNode, emptyTree, rootAttributes } from "../../build/file-tree.ts";
import { archiveEnd, encodeEntry, noDevice, paddingOf, type TarEntry } from "../../image/tar-format.ts";
import { readTar } from "../../image/tar-reader.ts";
import { parseCreateBody } from "../containers/create-body.ts";
import { statHeaderOf } from "./archive-stat.ts";
import { changesOf } from "./changes-routes.ts";
import { configOfContainer, withInstructions } from "./new-image.ts";
import { unpackInto } from "./unpack-into.ts";

const directories: string[] = [];
afterEach(async () => {
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true });
});

const file = { ...rootAttributes, kind: "file", size: 0, content: { kind: "text", text: "" } } as const;
const image: DirectoryNode = {
  ...emptyTree,
  children: new Map([
    ["etc", { ...emptyTree, children: new Map([["passwd", file] as const, ["group", file] as const]) }],
  ]),
};
const entry = (path: string, type: IndexEntry["type"] = "file"): IndexEntry => ({
  ...{ path, type, mode: 0o644, uid: 0, gid: 0, size: 0, mtime: 0, linkPath: "", xattrs: [] },
});

test("changes: what was changed, added and deleted, and what an opaque directory hides", () => {
  expect(
    changesOf([entry("etc/", "directory"), entry("etc/.wh.group"), entry("etc/passwd"), entry("new")], image),
  ).toEqual([
    { Path: "/etc", Kind: 0 },
    { Path: "/etc/group", Kind: 2 },
    { Path: "/etc/passwd", Kind: 0 },
    { Path: "/new", Kind: 1 },
  ]);
  expect(changesOf([entry("etc", "directory"), entry("etc/.wh..wh..opq"), entry("etc/group")], image)).toEqual([
    { Path: "/etc", Kind: 0 },
    { Path: "/etc/group", Kind: 0 },
    { Path: "/etc/passwd", Kind: 2 },
  ]);
});

test("a path's header has the mode as Go has it", () => {
  const look = (mode: number): unknown =>
    JSON.parse(Buffer.from(statHeaderOf({ name: "a", size: 1, mode, mtime: 0, linkTarget: "" }), "base64").toString());
  expect(look(0o100755)).toMatchObject({ name: "a", size: 1, mode: 0o755, mtime: "1970-01-01T00:00:00.000Z" });
  expect(look(0o041777)).toMatchObject({ mode: 2 ** 31 + 2 ** 20 + 0o777 });
  expect(look(0o120777)).toMatchObject({ mode: 2 ** 27 + 0o777 });
  expect(look(0o104755)).toMatchObject({ mode: 2 ** 23 + 0o755 });
});

interface Packed extends Pick<TarEntry, "path" | "type"> {
  readonly text?: string;
  readonly linkPath?: string;
}

async function* archive(...entries: readonly Packed[]): AsyncGenerator<Buffer> {
  for (const { path, type, text = "", linkPath = "" } of entries) {
    const { uid, gid } = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
    const common = { mode: type === "directory" ? 0o755 : 0o640, uid, gid, mtime: 7, mtimeNanos: 0, device: noDevice };
    yield encodeEntry({ ...common, path, type, linkPath, size: text.length, xattrs: new Map() });
    yield Buffer.from(text);
    yield Buffer.alloc(paddingOf(text.length));
  }
  yield archiveEnd;
}

async function unpack(directory: string, ...entries: readonly Packed[]): Promise<void> {
  await unpackInto(directory, readTar(archive(...entries)), {
    ...{ owner: (id) => id, keepsKinds: true, placeOf: async (path) => path },
  });
}

test("unpacking: files, links and times arrive; nothing leads out, takes another kind's place or is a device", async () => {
  const directory = await mkdtemp(join(tmpdir(), "docker-files-"));
  directories.push(directory);
  await unpack(
    directory,
    { path: "./", type: "directory" },
    { path: "./d", type: "directory" },
    { path: "d/f", type: "file", text: "hello" },
    { path: "d/h", type: "hardlink", linkPath: "d/f" },
    { path: "s", type: "symlink", linkPath: "d/f" },
  );
  expect(await readFile(join(directory, "s"), "utf8")).toBe("hello");
  const { nlink, mode, mtimeMs } = await stat(join(directory, "d/h"));
  expect({ nlink, mode: mode & 0o777, mtimeMs }).toEqual({ nlink: 2, mode: 0o640, mtimeMs: 7000 });
  // Once more: what is there gives way.
  await unpack(directory, { path: "d/f", type: "file", text: "again" });
  expect(await readFile(join(directory, "d/f"), "utf8")).toBe("again");
  const bad: readonly Packed[] = [
    { path: "../out", type: "file" },
    { path: "d/../../out", type: "file" },
    { path: "d", type: "file" },
    { path: "s", type: "directory" },
    { path: "null", type: "character" },
    { path: "link", type: "hardlink", linkPath: "../../etc/passwd" },
  ];
  for (const one of bad) await expect(unpack(directory, one), one.path).rejects.toMatchObject({ code: "BAD_REQUEST" });
  expect((await readdir(directory)).sort()).toEqual(["d", "s"]);
});

test("a new image has what its container was asked to be, and what instructions say", () => {
  const request = parseCreateBody({ Image: "a", Cmd: ["sh"], Env: ["A=2", "B=3"], Labels: { l: "1" }, User: "5" });
  const config = configOfContainer({ ...emptyConfig, env: ["A=1"], cmd: ["old"] }, request);
  expect(config).toMatchObject({ env: ["A=2", "B=3"], cmd: ["sh"], labels: { l: "1" }, user: "5" });
  const changed = withInstructions(config, ['CMD ["cat", "/x"]', "ENV C=$A", "WORKDIR /w"]);
  expect(changed).toMatchObject({ cmd: ["cat", "/x"], env: ["A=2", "B=3", "C=2"], workingDir: "/w" });
  expect(() => withInstructions(config, ["RUN true"])).toThrow("RUN is not a valid change command");
});
