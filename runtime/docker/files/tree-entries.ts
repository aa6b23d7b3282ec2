import type { LayerEntry } from "../../build/copy-plan.ts";
import { type DirectoryNode, type FileNode, joined } from "../../build/file-tree.ts";

/** All that is in a directory, in the order of names; `at` is what it is called. */
export function* entriesBelow(directory: DirectoryNode, at: string): Generator<LayerEntry, void, undefined> {
  const children = [...directory.children].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, node] of children) yield* entriesAt(node, joined(at, name));
}

export function* entriesAt(node: FileNode, path: string): Generator<LayerEntry, void, undefined> {
  yield { path, node };
  if (node.kind === "directory") yield* entriesBelow(node, path);
}
