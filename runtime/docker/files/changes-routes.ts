import { pipeline } from "node:stream/promises";
import type { IndexEntry } from "../../build/archive-entries.ts";
import { type DirectoryNode, findPath, fromName, joined } from "../../build/file-tree.ts";
import { archiveOf } from "../../build/layer-writer.ts";
import type { Containers } from "../containers/containers.ts";
import { type Call, ok, type Reply } from "../http/call.ts";
import type { Routes } from "../http/router.ts";
import { ContainerFiles, type FilesParts } from "./container-files.ts";
import { entriesBelow } from "./tree-entries.ts";

interface Parts extends FilesParts {
  readonly containers: Containers;
}

/** `docker diff` and `docker export`. */
export function changesRoutes(parts: Parts): Routes {
  return {
    "GET /containers/:id/changes": (call) => changes(parts, call),
    "GET /containers/:id/export": (call) => exportFiles(parts, call),
  };
}

async function changes(parts: Parts, call: Call): Promise<Reply> {
  const { record } = parts.containers.find(call.param("id"));
  await using files = await ContainerFiles.open(parts, record, call.signal);
  return ok(changesOf(await files.changedEntries(), await files.imageTree()));
}

const kinds = { changed: 0, added: 1, deleted: 2 } as const;

interface Change {
  readonly Path: string;
  readonly Kind: (typeof kinds)[keyof typeof kinds];
}

/** What was changed, added and deleted, in the order of paths. Pure. */
export function changesOf(entries: readonly IndexEntry[], image: DirectoryNode): readonly Change[] {
  const found = new Map<string, Change["Kind"]>();
  const isThere = (path: string): boolean =>
    findPath(image, path, { outside: "stay", followLast: false }).node !== undefined;
  const written = new Set(entries.map(({ path }) => trimmed(path)));
  for (const entry of entries) {
    const path = trimmed(entry.path);
    const at = path.lastIndexOf("/") + 1;
    const [parent, name] = [path.slice(0, Math.max(0, at - 1)), path.slice(at)];
    if (name === ".wh..wh..opq") {
      const hidden = findPath(image, parent, { outside: "stay" }).node;
      const below = hidden?.kind === "directory" ? [...hidden.children.keys()] : [];
      for (const child of below)
        if (!written.has(joined(parent, child))) found.set(joined(parent, child), kinds.deleted);
    } else if (name.startsWith(".wh.")) found.set(joined(parent, name.slice(".wh.".length)), kinds.deleted);
    else if (path !== "") found.set(path, isThere(path) ? kinds.changed : kinds.added);
  }
  return [...found]
    .map(([path, Kind]) => ({ Path: `/${fromName(path)}`, Kind }))
    .sort((a, b) => (a.Path < b.Path ? -1 : 1));
}

const trimmed = (path: string): string => path.replace(/^\.?\/+|\/+$/g, "");

async function exportFiles(parts: Parts, call: Call): Promise<void> {
  const { record } = parts.containers.find(call.param("id"));
  await using files = await ContainerFiles.open(parts, record, call.signal);
  const entries = [...entriesBelow(await files.tree(), "")];
  await files.spool.fetch(entries.flatMap(({ node }) => (node.kind === "file" ? [node] : [])));
  await pipeline(archiveOf(entries, files.spool), call.stream("application/x-tar"));
}
