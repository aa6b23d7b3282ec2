import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ImageFault } from "@shallop/sdk/image";
import type { IndexEntry } from "./archive-entries.ts";
import { type DirectoryNode, emptyTree, type FileNode, findPath, joined } from "./file-tree.ts";
import { withLayer } from "./image-tree.ts";

/** `a/`: a directory; `a -> b`: a link; `a = b`: a hard link; else a file. */
function entry(text: string): IndexEntry {
  const common = { mode: 0o644, uid: 0, gid: 0, size: 0, mtime: 0, linkPath: "", xattrs: [] };
  const [, path = "", how, target = ""] = /^(.*?)(?: (->|=) (.*))?$/.exec(text) ?? [];
  if (how === "->") return { ...common, path, type: "symlink", linkPath: target };
  if (how === "=") return { ...common, path, type: "hardlink", linkPath: target };
  return { ...common, path, type: path.endsWith("/") ? "directory" : "file" };
}

const layered = (...layers: readonly (readonly string[])[]): DirectoryNode =>
  layers.reduce<DirectoryNode>(
    (below, entries, index) => withLayer(below, entries.map(entry), `layer${index}`),
    emptyTree,
  );

/** Every path, directories with a slash; files with the layer that they are of. */
function shown(tree: DirectoryNode): readonly string[] {
  const list = (node: FileNode, path: string): readonly string[] => {
    if (node.kind === "symlink") return [`${path} -> ${node.target}`];
    if (node.kind === "file") return [`${path} ${node.content.kind === "archive" ? node.content.archive : ""}`];
    if (node.kind === "fifo") return [path];
    const inside = [...node.children].flatMap(([name, child]) => list(child, joined(path, name)));
    return path === "" ? inside : [`${path}/`, ...inside];
  };
  return [...list(tree, "")].sort();
}

describe("layers on each other", () => {
  test.each([
    ["files are replaced", [["a", "b"], ["a"]], ["a layer1", "b layer0"]],
    [
      "directories are merged",
      [
        ["d/", "d/a"],
        ["d/", "d/b"],
      ],
      ["d/", "d/a layer0", "d/b layer1"],
    ],
    ["directories that nobody mentions are there", [["d/e/a"]], ["d/", "d/e/", "d/e/a layer0"]],
    ["a whiteout hides what is below", [["d/a", "d/b"], ["d/.wh.a"]], ["d/", "d/b layer0"]],
    ["and not what is beside it, in whatever order", [["a"], ["a", ".wh.a"]], ["a layer1"]],
    ["a directory that is hidden and made anew is empty", [["d/a"], [".wh.d", "d/", "d/b"]], ["d/", "d/b layer1"]],
    [
      "an opaque directory hides all",
      [
        ["d/a", "d/e/b"],
        ["d/", "d/.wh..wh..opq", "d/c"],
      ],
      ["d/", "d/c layer1"],
    ],
    [
      "an opaque root hides everything",
      [
        ["a", "d/b"],
        [".wh..wh..opq", "c"],
      ],
      ["c layer1"],
    ],
    ["a file takes a directory's place", [["d/a"], ["d"]], ["d layer1"]],
    ["a directory takes a file's place", [["d"], ["d/a"]], ["d/", "d/a layer1"]],
    ["a hard link is the file", [["a", "b = a"]], ["a layer0", "b layer0"]],
    ["of a lower layer, too", [["a"], ["b = a"]], ["a layer0", "b layer0"]],
    ["AUFS' own files are no files", [["a", ".wh..wh.plnk/", ".wh..wh.aufs"]], ["a layer0"]],
    ["links are followed inside of the layer", [["l -> d/e", "l/a"]], ["d/", "d/e/", "d/e/a layer0", "l -> d/e"]],
    ["from its root, when they are absolute", [["l -> /../d", "l/a"]], ["d/", "d/a layer0", "l -> /../d"]],
    ["not those below: a directory hides them", [["l -> d"], ["l/a"]], ["l/", "l/a layer1"]],
  ])("%s", (_, layers, expected) => {
    expect(shown(layered(...layers))).toEqual(expected);
  });

  test.each([
    [["../a"], /leads out/],
    [["a/../../b"], /leads out/],
    [["a = ../b"], /leads out/],
    [["a = b"], /no file/],
    [["d/", "a = d"], /no file/],
    [["l -> l", "l/a"], /round in links/],
    [["a", "a/b"], /through a file/],
    [[".wh."], /hides nothing/],
    [[".wh..."], /hides nothing/],
    [["x/".repeat(300)], /deeper/],
    [["x".repeat(5_000)], /bytes/],
  ])("%j is refused", (entries, message) => {
    expect(() => layered(["b0"], entries)).toThrow(
      expect.objectContaining({ code: "LAYER_INVALID", message: expect.stringMatching(message) }),
    );
  });

  test("whatever a layer says, it is a tree or refused, and what is below stays what it was", () => {
    const name = fc.constantFrom("a", "b", "..", ".wh.a", ".wh..wh..opq", "l", "/", ".");
    const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
    const line = fc
      .tuple(path, fc.constantFrom("", "/", " -> ", " = "), path)
      .map(([from, how, to]) => (how.length > 1 ? from + how + to : from + how));
    const below = layered(["a/b", "l -> a", "b"]);
    const before = shown(below);
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
        try {
          const tree = withLayer(below, lines.map(entry), "fuzzed");
          for (const one of shown(tree)) expect(one.split(" ")[0]).not.toMatch(/(?:^|\/)\.\.?(?:\/|$)/);
        } catch (error) {
          expect(error).toBeInstanceOf(ImageFault);
        }
        expect(shown(below)).toEqual(before);
      }),
      { numRuns: 300 },
    );
  });
});

describe("paths", () => {
  const tree = layered(["d/e/f", "up -> ../../d", "abs -> /d/e", "loop -> loop", "d/self -> ."]);

  test.each([
    ["/d/./e//f", "d/e/f"],
    ["../../d", "d"],
    ["up/e", "d/e"],
    ["abs/f", "d/e/f"],
    ["d/self/self/e", "d/e"],
    ["d/none/more", "d/none/more"],
    ["", ""],
  ])("%j is %j, and stays inside", (path, expected) => {
    expect(findPath(tree, path, { outside: "stay" }).path).toBe(expected);
  });

  test.each(["../d", "up", "abs", "loop/x", "d/../../d"])("%j leads out of a context, or nowhere", (path) => {
    expect(() => findPath(tree, path, { outside: "refuse" })).toThrow(
      expect.objectContaining({ code: "CONTEXT_INVALID" }),
    );
  });
});
