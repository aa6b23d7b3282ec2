import { constants } from "node:fs";
import { lstat, open, readdir, readlink, stat } from "node:fs/promises";
import { dirname, join, posix, relative } from "node:path";
import type { BuildTools } from "./build-tools.ts";
import { errorCode } from "@shallop/sdk/internal";
import { DockerfileFault } from "@shallop/sdk/wire";
import { dockerfileBytesMax } from "./dockerfile/parse.ts";
import { Ignore, ignoreBytesMax } from "./dockerfile/ignore.ts";
import {
  builtNow,
  type DirectoryNode,
  type FileNode,
  findPath,
  fromName,
  joined,
  rootAttributes,
  toName,
} from "./file-tree.ts";
import { archiveTree } from "./image-tree.ts";
import { entriesMax } from "./archive-entries.ts";

type ArchiveTools = Pick<BuildTools, "reader" | "spool">;

/** What a build is given: the text of its Dockerfile, and the files that COPY and ADD may take. */
export interface BuildContext {
  readonly dockerfile: string;
  readonly root: DirectoryNode;
  /** What the ignore file leaves out is there, and is not copied: to say so helps. */
  isIgnored(path: string): boolean;
}

/** @throws DockerfileFault CONTEXT_INVALID | DOCKERFILE_INVALID, ImageFault LAYER_INVALID | TOO_LARGE */
export async function readContext(
  tools: ArchiveTools,
  order: {
    readonly context: string;
    readonly dockerfile: string;
  },
): Promise<BuildContext> {
  const found = await stat(order.context).catch(() => undefined);
  if (found?.isDirectory() === true) return directoryContext(order.context, order.dockerfile);
  if (found?.isFile() === true) return archiveContext(tools, order.context, order.dockerfile);
  throw new DockerfileFault("CONTEXT_INVALID", `there is no directory or archive ${order.context}`);
}

async function directoryContext(directory: string, dockerfile: string): Promise<BuildContext> {
  const text = await readSmall(dockerfile, dockerfileBytesMax);
  if (text === undefined) throw new DockerfileFault("DOCKERFILE_INVALID", `there is no file ${dockerfile}`);
  const ignore = Ignore.parse(
    (await readSmall(`${dockerfile}.dockerignore`, ignoreBytesMax)) ??
      (await readSmall(join(directory, ".dockerignore"), ignoreBytesMax)) ??
      "",
  );
  const walk: Walk = { directory, ignore, count: 0 };
  const root: DirectoryNode = { ...rootAttributes, kind: "directory", children: await readChildren(walk, "") };
  return { dockerfile: text, root, isIgnored: (path) => ignore.ignores(path) };
}

interface Walk {
  readonly directory: string;
  readonly ignore: Ignore;
  count: number;
}

async function readChildren(walk: Walk, below: string): Promise<ReadonlyMap<string, FileNode>> {
  const names = await readdir(hostPath(walk, below), { encoding: "buffer" });
  const children = new Map<string, FileNode>();
  for (const bytes of names.sort((a, b) => Buffer.compare(a, b))) {
    const name = bytes.toString("latin1");
    const path = joined(below, name);
    const ignored = walk.ignore.ignores(fromName(path));
    if (ignored && !walk.ignore.keepsSome) continue;
    const node = await readNode(walk, path, ignored);
    if (node !== undefined) children.set(name, node);
  }
  return children;
}

async function readNode(walk: Walk, path: string, ignored: boolean): Promise<FileNode | undefined> {
  const host = hostPath(walk, path);
  const found = await lstat(host);
  // Whoever copies has no part in who owns the files of this machine.
  const attributes = { mode: found.mode & 0o7777, uid: 0, gid: 0, mtime: builtNow, xattrs: new Map<string, string>() };
  if (found.isDirectory()) {
    const children = await readChildren(walk, path);
    return ignored && children.size === 0 ? undefined : { ...attributes, kind: "directory", children };
  }
  if (ignored) return undefined;
  if (++walk.count > entriesMax)
    throw new DockerfileFault(
      "TOO_LARGE",
      `the build context has more than ${entriesMax} files; leave some out with .dockerignore`,
    );
  if (found.isSymbolicLink())
    return {
      ...attributes,
      kind: "symlink",
      target: (await readlink(host, { encoding: "buffer" })).toString("latin1"),
    };
  if (found.isFile()) return { ...attributes, kind: "file", size: found.size, content: { kind: "disk", path: host } };
  // Sockets, devices and pipes are of this machine, not of the program that is built.
  return undefined;
}

const hostPath = (walk: Walk, path: string): Buffer =>
  Buffer.concat([Buffer.from(walk.directory), Buffer.from("/"), Buffer.from(path, "latin1")]);

/** Undefined when there is no such file. @throws DockerfileFault CONTEXT_INVALID */
async function readSmall(path: string, bytesMax: number): Promise<string | undefined> {
  try {
    // NONBLOCK: a pipe of that name is not waited for.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const found = await file.stat();
    if (!found.isFile()) throw new DockerfileFault("CONTEXT_INVALID", `${path} is no file`);
    if (found.size > bytesMax)
      throw new DockerfileFault("TOO_LARGE", `${path} has ${found.size} bytes, at most ${bytesMax} are read`);
    return await file.readFile("utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    if (error instanceof DockerfileFault) throw error;
    throw new DockerfileFault("CONTEXT_INVALID", `${path} cannot be read (${errorCode(error) ?? "unknown"})`, {
      cause: error,
    });
  }
}

async function archiveContext(tools: ArchiveTools, archive: string, dockerfile: string): Promise<BuildContext> {
  const found = await tools.reader.index(archive);
  if (found === undefined)
    throw new DockerfileFault(
      "CONTEXT_INVALID",
      `${archive} is no tar archive: name a directory, an archive of one, or a component`,
    );
  const whole = archiveTree(found.entries, archive);
  // Named from the archive's root, or as if the archive were a directory.
  const inside = posix.isAbsolute(dockerfile) ? relative(dirname(archive), dockerfile) : dockerfile;
  const text = await readEntry(tools, whole, inside, dockerfileBytesMax);
  if (text === undefined) throw new DockerfileFault("DOCKERFILE_INVALID", `${archive} has no file ${inside}`);
  const ignore = Ignore.parse(
    (await readEntry(tools, whole, `${inside}.dockerignore`, ignoreBytesMax)) ??
      (await readEntry(tools, whole, ".dockerignore", ignoreBytesMax)) ??
      "",
  );
  return { dockerfile: text, root: kept(whole, "", ignore), isIgnored: (path) => ignore.ignores(path) };
}

function kept(directory: DirectoryNode, below: string, ignore: Ignore): DirectoryNode {
  const children = new Map<string, FileNode>();
  for (const [name, node] of directory.children) {
    const path = joined(below, name);
    const ignored = ignore.ignores(fromName(path));
    if (node.kind !== "directory") {
      if (!ignored) children.set(name, { ...node, uid: 0, gid: 0, mtime: builtNow });
      continue;
    }
    if (ignored && !ignore.keepsSome) continue;
    const inside = kept(node, path, ignore);
    if (!ignored || inside.children.size > 0) children.set(name, inside);
  }
  return { ...directory, uid: 0, gid: 0, mtime: builtNow, children };
}

async function readEntry(
  tools: ArchiveTools,
  root: DirectoryNode,
  path: string,
  bytesMax: number,
): Promise<string | undefined> {
  const { node } = findPath(root, toName(path), { outside: "refuse" });
  if (node?.kind !== "file" || node.content.kind !== "archive") return undefined;
  if (node.size > bytesMax)
    throw new DockerfileFault("TOO_LARGE", `${path} has ${node.size} bytes, at most ${bytesMax} are read`);
  await tools.spool.fetch([node]);
  const pieces: Uint8Array[] = [];
  for await (const piece of tools.spool.bytes(node)) pieces.push(piece);
  return Buffer.concat(pieces).toString("utf8");
}
