import { type Digest, ImageFault } from "@shallop/sdk/image";
import {
  type DirectoryNode,
  emptyTree,
  type FileAttributes,
  type FileContent,
  type FileNode,
  findPath,
} from "./file-tree.ts";
import type { IndexEntry } from "./archive-entries.ts";

// PATH_MAX and NAME_MAX of Linux; no path has more parts than half of its bytes.
const pathBytesMax = 4_095;
const depthMax = 256;
/** As the kernel's own bound on links in a path. */
const linksMax = 40;

/** A directory of a layer while it is filled. */
interface LayerDirectory {
  readonly kind: "layer-directory";
  /** Undefined: no entry says them, the layers below may. */
  attributes: FileAttributes | undefined;
  /** Everything below is hidden. */
  opaque: boolean;
  readonly whiteouts: Set<string>;
  readonly children: Map<string, LayerDirectory | FileNode>;
}

const newDirectory = (): LayerDirectory => ({
  kind: "layer-directory",
  attributes: undefined,
  opaque: false,
  whiteouts: new Set(),
  children: new Map(),
});

/**
 * What an image shows once a layer lies on it (image specification, "Image Layer Filesystem Changeset"). Pure; what the
 * layer does not touch is shared with `below`.
 *
 * @param archive names the layer, for finding its files' bytes
 * @throws ImageFault LAYER_INVALID
 */
export function withLayer(below: DirectoryNode, entries: readonly IndexEntry[], archive: string): DirectoryNode {
  return merged(below, readLayer(entries, archive, { whiteouts: true, below }));
}

/** An archive by itself, in which whiteouts are files like others. @throws ImageFault LAYER_INVALID */
export function archiveTree(entries: readonly IndexEntry[], archive: string): DirectoryNode {
  return merged(emptyTree, readLayer(entries, archive, { whiteouts: false, below: emptyTree }));
}

function readLayer(
  entries: readonly IndexEntry[],
  archive: string,
  options: { readonly whiteouts: boolean; readonly below: DirectoryNode },
): LayerDirectory {
  const root = newDirectory();
  for (const [place, entry] of entries.entries()) {
    const parts = partsOf(entry.path);
    const name = parts.at(-1);
    if (name === undefined) {
      root.attributes = attributesOf(entry);
      continue;
    }
    const parent = directoryAt(root, parts.slice(0, -1), entry.path);
    if (options.whiteouts && name.startsWith(".wh.")) hide(parent, name, entry.path);
    else if (entry.type === "hardlink") parent.children.set(name, linkedFile(root, options.below, entry));
    else add(parent, { name, entry, content: { kind: "archive", archive, entry: place } });
  }
  return root;
}

function hide(parent: LayerDirectory, name: string, path: string): void {
  if (name === ".wh..wh..opq") parent.opaque = true;
  // AUFS' own files, which Docker's old archives still have.
  if (name.startsWith(".wh..wh.")) return;
  const hidden = name.slice(".wh.".length);
  if (hidden === "" || hidden === "." || hidden === "..") throw invalid(`${shown(path)} hides nothing that has a name`);
  parent.whiteouts.add(hidden);
}

function add(
  parent: LayerDirectory,
  { name, entry, content }: { readonly name: string; readonly entry: IndexEntry; readonly content: FileContent },
): void {
  const attributes = attributesOf(entry);
  const existing = parent.children.get(name);
  switch (entry.type) {
    case "directory": {
      const directory = existing?.kind === "layer-directory" ? existing : newDirectory();
      directory.attributes = attributes;
      parent.children.set(name, directory);
      return;
    }
    case "file": {
      const digest = entry.hex === undefined ? {} : { digest: `sha256:${entry.hex}` as Digest };
      parent.children.set(name, { ...attributes, kind: "file", size: entry.size, content, ...digest });
      return;
    }
    case "symlink":
      parent.children.set(name, { ...attributes, kind: "symlink", target: entry.linkPath });
      return;
    case "fifo":
      parent.children.set(name, { ...attributes, kind: "fifo" });
      return;
    case "hardlink":
    case "character":
    case "block":
      // Links were looked at before; devices are never unpacked.
      return;
  }
}

/** A second name of a file of this layer, or of one below: a node copies that one. */
function linkedFile(root: LayerDirectory, below: DirectoryNode, { path, linkPath }: IndexEntry): FileNode {
  const target = partsOf(linkPath);
  const own = directoryAt(root, target.slice(0, -1), linkPath).children.get(target.at(-1) ?? "");
  const node = own ?? findPath(below, linkPath, { outside: "stay", followLast: false }).node;
  if (node === undefined || node.kind === "layer-directory" || node.kind === "directory")
    throw invalid(`${shown(path)} is a hard link to ${shown(linkPath)}, which is no file`);
  return node;
}

/** A directory of the layer, made where no entry has made it; links of the layer are followed inside of it. */
function directoryAt(root: LayerDirectory, parts: readonly string[], path: string): LayerDirectory {
  const todo = [...parts];
  let done: LayerDirectory[] = [root];
  let links = 0;
  for (let name = todo.shift(); name !== undefined; name = todo.shift()) {
    if (name === "" || name === ".") continue;
    if (name === "..") {
      if (done.length > 1) done.pop();
      continue;
    }
    const here = done.at(-1) ?? root;
    const found = here.children.get(name);
    if (found?.kind === "symlink") {
      if (++links > linksMax) throw invalid(`${shown(path)} goes round in links`);
      if (found.target.startsWith("/")) done = [root];
      todo.unshift(...found.target.split("/"));
      continue;
    }
    if (done.length > depthMax) throw invalid(`${shown(path)} is deeper than ${depthMax} directories`);
    if (found !== undefined && found.kind !== "layer-directory") throw invalid(`${shown(path)} passes through a file`);
    const directory = found ?? newDirectory();
    here.children.set(name, directory);
    done.push(directory);
  }
  return done.at(-1) ?? root;
}

function merged(below: FileNode | undefined, layer: LayerDirectory): DirectoryNode {
  const base = below?.kind === "directory" ? below : undefined;
  const children = new Map(layer.opaque ? [] : base?.children);
  for (const name of layer.whiteouts) children.delete(name);
  for (const [name, node] of layer.children) {
    // A directory that was hidden and made anew has nothing of the hidden one.
    const hidden = layer.opaque || layer.whiteouts.has(name);
    children.set(
      name,
      node.kind === "layer-directory" ? merged(hidden ? undefined : base?.children.get(name), node) : node,
    );
  }
  const attributes = layer.attributes ?? base ?? emptyTree;
  const { mode, uid, gid, mtime, xattrs } = attributes;
  return { kind: "directory", mode, uid, gid, mtime, xattrs, children };
}

function attributesOf({ mode, uid, gid, mtime, xattrs }: IndexEntry): FileAttributes {
  return { mode, uid, gid, mtime, xattrs: new Map(xattrs) };
}

/** The components of a path in an archive. A leading `/` or `./` means its root. */
function partsOf(path: string): readonly string[] {
  if (path.length > pathBytesMax) throw invalid(`a path has ${path.length} bytes`);
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw invalid(`${shown(path)} leads out of the archive`);
  if (parts.length > depthMax) throw invalid(`${shown(path)} is deeper than ${depthMax} directories`);
  return parts;
}

const invalid = (message: string): ImageFault => new ImageFault("LAYER_INVALID", message);
const shown = (path: string): string => JSON.stringify(path.slice(0, 200));
