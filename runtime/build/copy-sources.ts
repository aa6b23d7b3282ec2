import { basename } from "node:path/posix";
import type { CopySource } from "./copy-plan.ts";
import { lineFault, shown } from "./dockerfile/fault.ts";
import { Glob } from "./dockerfile/glob.ts";
import { type DirectoryNode, type FileNode, findPath, fromName, joined, toName } from "./file-tree.ts";

export interface SourceRoot {
  readonly root: DirectoryNode;
  /** Paths may not lead out of a context; in an image nothing is outside. */
  readonly outside: "stay" | "refuse";
  /** Only for a better message. */
  readonly isIgnored?: (path: string) => boolean;
}

/**
 * Every file that sources of COPY name, wildcards matched; a directory is one of them. A wildcard may match nothing where
 * another source is there, as in `COPY package.json package-lock.json* ./`. @throws DockerfileFault CONTEXT_INVALID
 */
export function findSources(patterns: readonly string[], from: SourceRoot, line: number): readonly CopySource[] {
  const found = patterns.flatMap((pattern) => {
    if (/[*?[\\]/.test(pattern)) return matching(pattern, from, line);
    const exact = exactly(pattern, from, line);
    if (exact.length === 0) throw missing(pattern, from, line);
    return exact;
  });
  const [first] = patterns;
  if (found.length === 0 && first !== undefined) throw missing(first, from, line);
  return found;
}

function exactly(pattern: string, { root, outside }: SourceRoot, line: number): readonly CopySource[] {
  if (pattern === "") throw lineFault(line, "a source is empty", "CONTEXT_INVALID");
  const name = toName(pattern);
  const { node } = findPath(root, name, { outside });
  return node === undefined ? [] : [{ name: basename(name.replace(/\/+$/, "")), node }];
}

/** As Go's `filepath.Match`: a pattern names as many directories as it has parts. */
function matching(pattern: string, { root, outside }: SourceRoot, line: number): readonly CopySource[] {
  const parts = pattern.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..") && outside === "refuse")
    throw lineFault(line, `${shown(pattern)} leads out of the build context`, "CONTEXT_INVALID");
  let found: readonly { readonly path: string; readonly node: FileNode }[] = [{ path: "", node: root }];
  for (const part of parts) {
    const glob = Glob.path(part);
    if (glob === undefined) throw lineFault(line, `${shown(pattern)} is no pattern of file names`, "CONTEXT_INVALID");
    found = found.flatMap(({ path, node }) => {
      const directory = node.kind === "symlink" ? findPath(root, path, { outside }).node : node;
      if (directory?.kind !== "directory") return [];
      return [...directory.children]
        .filter(([name]) => glob.matches(fromName(name)))
        .map(([name, child]) => ({ path: joined(path, name), node: child }));
    });
  }
  return found.flatMap(({ path }) => {
    const { node } = findPath(root, path, { outside });
    return node === undefined ? [] : [{ name: basename(path), node }];
  });
}

function missing(pattern: string, { outside, isIgnored }: SourceRoot, line: number): Error {
  const where = outside === "refuse" ? "the build context" : "the image that is copied from";
  const plain = pattern.replace(/^(?:\.?\/)+|\/+$/g, "");
  const why = isIgnored?.(plain) === true ? "; the ignore file leaves it out" : "";
  return lineFault(line, `${shown(pattern)} is not in ${where}${why}`, "CONTEXT_INVALID");
}
