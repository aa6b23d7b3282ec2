import { basename } from "node:path/posix";
import { DockerfileFault } from "@shallop/sdk/wire";
import {
  builtNow,
  type DirectoryNode,
  type FileAttributes,
  type FileNode,
  findPath,
  fromName,
  joined,
} from "./file-tree.ts";

/** Something to be in a layer, at a path without links. */
export interface LayerEntry {
  readonly path: string;
  /** Its children are entries of their own. */
  readonly node: FileNode;
}

/** A source that was found. */
export interface CopySource {
  /** What it is called, without its directories. */
  readonly name: string;
  readonly node: FileNode;
}

export interface CopyTarget {
  /** The image that is copied into. */
  readonly image: DirectoryNode;
  /** Absolute; ending in `/` when it is to be a directory. */
  readonly destination: string;
  /** As it is written, for messages. */
  readonly shown: string;
  readonly line: number;
  readonly owner?: { readonly uid: number; readonly gid: number };
  readonly mode?: number;
  /** Seconds since the epoch: no time in the layer is later. */
  readonly mtimeMax: number;
}

/**
 * What a layer has to hold so that the sources are at the destination, as COPY wants it: of a directory what is in it;
 * of a file itself, under its own name where the destination is a directory. Directories on the way that the image has
 * keep their attributes. Pure. Sorted by path, so that parents come first.
 * @throws DockerfileFault CONTEXT_INVALID
 */
export function planCopy(sources: readonly CopySource[], target: CopyTarget): readonly LayerEntry[] {
  const plan = new CopyPlan(target);
  const existing = findPath(target.image, target.destination, { outside: "stay" });
  const [only] = sources;
  const intoDirectory =
    target.destination.endsWith("/") ||
    sources.length > 1 ||
    existing.node?.kind === "directory" ||
    only?.node.kind === "directory";
  for (const { name, node } of sources) {
    if (node.kind === "directory") plan.addChildren(plan.directory(existing.path, node), node);
    else if (intoDirectory) plan.add(joined(plan.directory(existing.path), name), node);
    else {
      const parent = existing.path.includes("/") ? existing.path.slice(0, existing.path.lastIndexOf("/")) : "";
      plan.add(joined(plan.directory(parent), basename(existing.path)), node);
    }
  }
  return plan.entries();
}

/** A directory, with those above it that the image lacks: WORKDIR. Empty when the image has it. */
export function planDirectory(target: CopyTarget): readonly LayerEntry[] {
  const existing = findPath(target.image, target.destination, { outside: "stay" });
  if (existing.node?.kind === "directory") return [];
  const plan = new CopyPlan(target);
  plan.directory(existing.path);
  return plan.entries();
}

class CopyPlan {
  readonly #target: CopyTarget;
  readonly #entries = new Map<string, FileNode>();

  constructor(target: CopyTarget) {
    this.#target = target;
  }

  entries(): readonly LayerEntry[] {
    return [...this.#entries].sort(([a], [b]) => (a < b ? -1 : 1)).map(([path, node]) => ({ path, node }));
  }

  /** A directory and those above it: as they are in the image, or made. @returns where it really is */
  directory(path: string, source?: DirectoryNode): string {
    if (path === "") return "";
    const found = findPath(this.#target.image, path, { outside: "stay" });
    const parts = found.path.split("/");
    for (const [index] of parts.entries()) {
      const here = parts.slice(0, index + 1).join("/");
      const isLast = index === parts.length - 1;
      if (this.#entries.get(here)?.kind === "directory") continue;
      this.#check(here);
      const { node } = findPath(this.#target.image, here, { outside: "stay", followLast: false });
      if (node !== undefined && node.kind !== "directory")
        throw this.#fault(`/${fromName(here)} is there already, and is no directory`);
      if (this.#entries.has(here)) throw this.#fault(`/${fromName(here)} is a file and a directory at once`);
      const made = isLast && source !== undefined ? this.#owned(source) : this.#owned(madeDirectory, false);
      this.#entries.set(here, node === undefined ? { ...made, kind: "directory", children: new Map() } : node);
    }
    return found.path;
  }

  addChildren(path: string, directory: DirectoryNode): void {
    for (const [name, node] of directory.children) {
      const here = joined(path, name);
      if (node.kind === "directory") this.addChildren(this.directory(here, node), node);
      else this.add(here, node);
    }
  }

  add(path: string, node: Exclude<FileNode, DirectoryNode>): void {
    this.#check(path);
    const { node: existing } = findPath(this.#target.image, path, { outside: "stay", followLast: false });
    if (existing?.kind === "directory" || this.#entries.get(path)?.kind === "directory")
      throw this.#fault(`/${fromName(path)} is a directory, and a file cannot take its place`);
    this.#entries.set(path, { ...node, ...this.#owned(node) });
  }

  #owned(attributes: FileAttributes, withMode = true): FileAttributes {
    const { owner, mode, mtimeMax } = this.#target;
    return {
      mode: (withMode ? mode : undefined) ?? attributes.mode,
      uid: owner?.uid ?? attributes.uid,
      gid: owner?.gid ?? attributes.gid,
      mtime: Math.min(attributes.mtime, mtimeMax),
      xattrs: attributes.xattrs,
    };
  }

  #check(path: string): void {
    const name = path.slice(path.lastIndexOf("/") + 1);
    if (name.startsWith(".wh."))
      throw this.#fault(
        `${JSON.stringify(fromName(name))} cannot be in an image: such names mark what a layer removes`,
      );
  }

  #fault(message: string): DockerfileFault {
    return new DockerfileFault(
      "CONTEXT_INVALID",
      `line ${this.#target.line}: copying to ${this.#target.shown}: ${message}`,
    );
  }
}

const madeDirectory: FileAttributes = { mode: 0o755, uid: 0, gid: 0, mtime: builtNow, xattrs: new Map() };
