import { lchown, lstat, mkdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path/posix";
import type { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { errorCode } from "@shallop/sdk/internal";
import { type DirectoryNode, type FileNode, findPath, fromName, joined, toName } from "../../build/file-tree.ts";
import { archiveOf } from "../../build/layer-writer.ts";
import { readTar } from "../../image/tar-reader.ts";
import { DockerFault } from "../http/docker-fault.ts";
import type { PathStat } from "./archive-stat.ts";
import type { ContainerFiles } from "./container-files.ts";
import { statModes } from "./stat-modes.ts";
import { entriesAt } from "./tree-entries.ts";
import { unpackInto } from "./unpack-into.ts";

const kindModes = {
  directory: statModes.directory,
  file: statModes.regular,
  symlink: statModes.symlink,
  fifo: statModes.fifo,
} as const satisfies Record<FileNode["kind"], number>;

const rangeSize = 65_536;

/** Files of a container that does not run: its image's and its own changes, read as data and written beside the image. */
export class StillRoot {
  readonly #files: ContainerFiles;
  /** Of its changes: overlayfs's upper directory, when it starts again. */
  readonly #upper: string;

  constructor(files: ContainerFiles, upper: string) {
    this.#files = files;
    this.#upper = upper;
  }

  /** @throws DockerFault NOT_FOUND */
  async stat(path: string): Promise<PathStat> {
    return statOf(await this.#files.tree(), path);
  }

  /** What is at a path, as an archive. @throws DockerFault NOT_FOUND before anything was written */
  async read(path: string, output: (stat: PathStat) => Writable): Promise<void> {
    const tree = await this.#files.tree();
    const found = statOf(tree, path);
    const { node } = find(tree, path);
    const name = path.endsWith("/.") ? "." : basename(path) === "" ? "/" : basename(path);
    const entries = [...entriesAt(node, toName(name))];
    const { spool } = this.#files;
    await spool.fetch(entries.flatMap(({ node: one }) => (one.kind === "file" ? [one] : [])));
    await pipeline(archiveOf(entries, spool), output(found));
  }

  /** Unpacks an archive into a directory. @throws DockerFault NOT_FOUND, BAD_REQUEST */
  async write(path: string, input: Readable, keepsKinds: boolean): Promise<void> {
    const tree = await this.#files.tree();
    const to = findPath(tree, toName(path), { outside: "stay" });
    if (to.node === undefined) throw notFound(path);
    if (to.node.kind !== "directory") throw new DockerFault("BAD_REQUEST", "extraction point is not a directory");
    await mkdir(this.#upper, { recursive: true, mode: 0o755 });
    await mkdir(join(dirname(this.#upper), "work"), { recursive: true, mode: 0o755 });
    const { uid: first } = await stat(this.#upper);
    const owner = (id: number): number => first + (id % rangeSize);
    await unpackInto(`/${fromName(to.path)}`, readTar(input as AsyncIterable<Buffer>), {
      owner,
      keepsKinds,
      placeOf: async (at) => {
        const parent = findPath(tree, toName(dirname(at)), { outside: "stay" });
        await this.#makeDirectories(tree, parent.path, owner);
        const place = join(this.#upper, fromName(parent.path), basename(at));
        // The directory itself, as archives name it first.
        if (parent.node?.kind === "directory" && at === `/${fromName(to.path)}`)
          await this.#makeDirectories(tree, to.path, owner);
        return place;
      },
    });
  }

  /** Directories that are the image's become the container's own, as overlayfs has it when something in them changes. */
  async #makeDirectories(tree: DirectoryNode, path: string, owner: (id: number) => number): Promise<void> {
    let done = "";
    for (const part of path.split("/").filter((name) => name !== "")) {
      done = joined(done, part);
      const place = join(this.#upper, fromName(done));
      const found = await lstat(place).catch((error: unknown) => {
        if (errorCode(error) === "ENOENT") return undefined;
        throw error;
      });
      if (found?.isDirectory() === true) continue;
      if (found !== undefined)
        throw new DockerFault("CONFLICT", `/${fromName(done)} is no directory of the container; start it first`);
      const { node } = findPath(tree, done, { outside: "stay", followLast: false });
      await mkdir(place, { mode: (node?.mode ?? 0o755) & 0o7777 });
      await lchown(place, owner(node?.uid ?? 0), owner(node?.gid ?? 0));
    }
  }
}

/** A slash or a dot at the end: what a link leads to is meant. */
function find(tree: DirectoryNode, path: string): { readonly path: string; readonly node: FileNode } {
  const followLast = /\/\.?$/.test(path);
  const found = findPath(tree, toName(path), { outside: "stay", followLast });
  if (found.node === undefined) throw notFound(path);
  return { path: found.path, node: found.node };
}

function statOf(tree: DirectoryNode, path: string): PathStat {
  const { node } = find(tree, path);
  const linkTarget =
    node.kind === "symlink" ? `/${fromName(findPath(tree, toName(path), { outside: "stay" }).path)}` : "";
  const size = node.kind === "file" ? node.size : 0;
  return { name: basename(path), size, mode: kindModes[node.kind] | node.mode, mtime: node.mtime, linkTarget };
}

const notFound = (path: string): DockerFault =>
  new DockerFault("NOT_FOUND", `Could not find the file ${path} in container`);
