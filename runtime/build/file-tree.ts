import type { Digest } from "@shallop/sdk/image";
import { DockerfileFault } from "@shallop/sdk/wire";

/** Where the bytes of a file are. */
export type FileContent =
  | { readonly kind: "disk"; readonly path: Buffer }
  | { readonly kind: "text"; readonly text: string }
  /** The entry of an archive: a layer, by its digest, or a file of this machine, by its path. */
  | { readonly kind: "archive"; readonly archive: string; readonly entry: number };

export interface FileAttributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since the epoch. */
  readonly mtime: number;
  readonly xattrs: ReadonlyMap<string, string>;
}

export type DirectoryNode = FileAttributes & {
  readonly kind: "directory";
  readonly children: ReadonlyMap<string, FileNode>;
};
export type RegularNode = FileAttributes & {
  readonly kind: "file";
  readonly size: number;
  readonly content: FileContent;
  /** Of the bytes, where they have been read already. */
  readonly digest?: Digest;
};

/**
 * A file system as data: of a build context, or of an image as its layers make it. Names are bytes, a character each
 * (`latin1`), as everywhere with archives.
 */
export type FileNode =
  | DirectoryNode
  | RegularNode
  | (FileAttributes & { readonly kind: "symlink"; readonly target: string })
  | (FileAttributes & { readonly kind: "fifo" });

/** Time of a file that the build brings in: the latest that there may be. When it was checked out says nothing of it. */
export const builtNow = Number.MAX_SAFE_INTEGER;

export const rootAttributes: FileAttributes = { mode: 0o755, uid: 0, gid: 0, mtime: 0, xattrs: new Map() };
export const emptyTree: DirectoryNode = { ...rootAttributes, kind: "directory", children: new Map() };

/** A text of a Dockerfile as the name of a file. */
export const toName = (text: string): string => Buffer.from(text, "utf8").toString("latin1");
export const fromName = (name: string): string => Buffer.from(name, "latin1").toString("utf8");

/** Where a path leads, links followed: the place, and what is there. */
export interface Found {
  /** Without links, `.` and `..`; empty: the root. */
  readonly path: string;
  readonly node: FileNode | undefined;
}

// The kernel's own bound on links in one path (path_resolution(7)).
const linksMax = 40;
// PATH_MAX; links can make a path longer than it was written.
const partsMax = 4096;

export interface FindOptions {
  /** False: a link at the end of the path is what is looked for. */
  readonly followLast?: boolean;
  /** What becomes of `..` and links that lead out of the root: a system has nothing above it, a context has. */
  readonly outside: "stay" | "refuse";
}

/** Looks a path up, as a process would whose root this tree is. @throws DockerfileFault CONTEXT_INVALID */
export function findPath(root: DirectoryNode, path: string, options: FindOptions): Found {
  const todo = path.split("/");
  let done: { readonly name: string; readonly node: FileNode | undefined }[] = [];
  let links = 0;
  for (let name = todo.shift(); name !== undefined; name = todo.shift()) {
    if (name === "" || name === ".") continue;
    if (name === "..") {
      if (done.pop() === undefined && options.outside === "refuse") throw leadsOut(path);
      continue;
    }
    const parent = done.length === 0 ? root : done.at(-1)?.node;
    const node = parent?.kind === "directory" ? parent.children.get(name) : undefined;
    const isLast = todo.every((rest) => rest === "" || rest === ".");
    if (node?.kind !== "symlink" || (isLast && options.followLast === false)) {
      done.push({ name, node });
      continue;
    }
    if (++links > linksMax || todo.length > partsMax)
      throw new DockerfileFault("CONTEXT_INVALID", `${JSON.stringify(fromName(path))} goes round in links`);
    if (node.target.startsWith("/")) {
      if (options.outside === "refuse") throw leadsOut(path);
      done = [];
    }
    todo.unshift(...node.target.split("/"));
  }
  return { path: done.map(({ name }) => name).join("/"), node: done.length === 0 ? root : done.at(-1)?.node };
}

const leadsOut = (path: string): DockerfileFault =>
  new DockerfileFault(
    "CONTEXT_INVALID",
    `${JSON.stringify(fromName(path).slice(0, 200))} leads out of the build context; copy what it names into the context`,
  );

/** `a/b` and `c` as `a/b/c`. */
export const joined = (parent: string, name: string): string => (parent === "" ? name : `${parent}/${name}`);
