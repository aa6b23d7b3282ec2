import { type ContentStore, type Digest, storeArchive, type StoredLayer } from "@shallop/sdk/image";
import { DockerfileFault } from "@shallop/sdk/wire";
import { opaqueXattr } from "../image/native-layers.ts";
import { archiveEnd, encodeEntry, noDevice, paddingOf, type TarEntry } from "../image/tar-format.ts";
import { type ReadEntry, readTar } from "../image/tar-reader.ts";
import type { LayerEntry } from "./copy-plan.ts";
import { fromName } from "./file-tree.ts";
import { archiveBytesMax, entriesMax } from "./archive-entries.ts";
import type { Spool } from "./spool.ts";

/** Writes entries as a layer: the same entries give the same bytes. @throws DockerfileFault CONTEXT_INVALID | TOO_LARGE */
export function writeLayer(store: ContentStore, entries: readonly LayerEntry[], spool: Spool): Promise<StoredLayer> {
  return storeArchive(store, archiveOf(entries, spool));
}

/** The same as an archive, once the spool has the bytes of all files. @throws DockerfileFault CONTEXT_INVALID | TOO_LARGE */
export async function* archiveOf(
  entries: readonly LayerEntry[],
  spool: Spool,
): AsyncGenerator<Uint8Array, void, undefined> {
  let bytes = 0;
  if (entries.length > entriesMax) throw tooLarge(`${entries.length} files`, String(entriesMax));
  for (const { path, node } of entries) {
    const size = node.kind === "file" ? node.size : 0;
    bytes += size;
    if (bytes > archiveBytesMax) throw tooLarge(`${bytes} bytes`, String(archiveBytesMax));
    const linkPath = node.kind === "symlink" ? node.target : "";
    const { mode, uid, gid, mtime, xattrs } = node;
    yield encodeEntry({
      path,
      type: node.kind,
      mode,
      uid,
      gid,
      size,
      mtime,
      mtimeNanos: 0,
      linkPath,
      xattrs,
      device: noDevice,
    });
    if (node.kind !== "file") continue;
    let written = 0;
    for await (const piece of spool.bytes(node)) {
      written += piece.length;
      yield piece;
    }
    if (written !== size)
      throw new DockerfileFault("CONTEXT_INVALID", `${fromName(path)} changed while it was copied; build again`);
    yield Buffer.alloc(paddingOf(size));
  }
  yield archiveEnd;
}

const tooLarge = (what: string, bound: string): DockerfileFault =>
  new DockerfileFault("TOO_LARGE", `a layer of ${what}; at most ${bound} are written`);

/** Where the changes come from. */
export interface ChangesOrigin {
  /** Seconds since the epoch: no time in the layer is later. */
  readonly mtimeMax: number;
  /** The id on this machine that the container's root had: what owners of files are counted from. */
  readonly firstId: number;
  /** Made by an ordinary user. */
  readonly isRootless?: boolean;
}

/** What is bound over while a program runs, and so is no work of its. */
const machineFiles: ReadonlySet<string> = new Set(["etc/hostname", "etc/hosts", "etc/resolv.conf"]);

/**
 * Turns what GNU tar says of overlayfs's upper directory into a layer: whiteouts and opaque directories as the image
 * specification writes them, owners as the container has them, no attribute that only this machine understands.
 * @returns the layer, and whether anything is in it
 */
export async function writeChanges(
  store: ContentStore,
  upper: AsyncIterable<Buffer>,
  origin: ChangesOrigin,
): Promise<{ readonly layer: StoredLayer; readonly isEmpty: boolean }> {
  let count = 0;
  let bytes = 0;
  async function* entries(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const file of readTar(upper)) {
      const changed = changesOf(file, origin);
      count += changed.length;
      bytes += file.entry.size;
      if (count > entriesMax) throw tooLarge(`more than ${entriesMax} files`, String(entriesMax));
      if (bytes > archiveBytesMax) throw tooLarge(`${bytes} bytes`, String(archiveBytesMax));
      for (const entry of changed) yield encodeEntry(entry);
      if (changed.length === 0 || file.entry.size === 0) continue;
      yield* file.body;
      yield Buffer.alloc(paddingOf(file.entry.size));
    }
    yield archiveEnd;
  }
  const layer = await storeArchive(store, entries());
  return { layer, isEmpty: count === 0 };
}

/** Entries of the layer for one of the upper directory. */
function changesOf({ entry }: ReadEntry, { mtimeMax, firstId, isRootless }: ChangesOrigin): readonly TarEntry[] {
  const path = entry.path.replace(/^\.?\/+|\/+$/g, "");
  if (path === "" || path === "." || machineFiles.has(path)) return [];
  const clean: TarEntry = {
    ...entry,
    path,
    linkPath: entry.type === "hardlink" ? entry.linkPath.replace(/^\.?\/+/, "") : entry.linkPath,
    uid: Math.max(0, entry.uid - firstId),
    gid: Math.max(0, entry.gid - firstId),
    mtime: Math.min(entry.mtime, mtimeMax),
    mtimeNanos: 0,
    device: noDevice,
    xattrs: portable(entry.xattrs),
  };
  const at = path.lastIndexOf("/") + 1;
  const mark = (name: string, below: string): TarEntry => ({
    ...clean,
    path: `${below}${name}`,
    type: "file",
    ...{ mode: 0o644, uid: 0, gid: 0, size: 0, linkPath: "", xattrs: new Map() },
  });
  // A program that may make no devices has only whiteouts of this type.
  if (entry.type === "character") return [mark(`.wh.${path.slice(at)}`, path.slice(0, at))];
  if (entry.type === "block") return [];
  if (path.slice(at).startsWith(".wh."))
    throw new DockerfileFault("RUN_FAILED", `RUN made ${JSON.stringify(fromName(path))}, which cannot be in an image`);
  if (entry.type === "directory" && entry.xattrs.get(opaqueXattr(isRootless !== true)) === "y")
    return [clean, mark(".wh..wh..opq", `${path}/`)];
  return [clean];
}

function portable(xattrs: TarEntry["xattrs"]): TarEntry["xattrs"] {
  const kept = [...xattrs].filter(([name]) => isPortable(name)).sort(([a], [b]) => (a < b ? -1 : 1));
  return new Map(kept.map(([name, value]) => [name, name === capability ? withoutRootId(value) : value]));
}

const capability = "security.capability";

/**
 * A file's capabilities as every machine reads them: set in a user namespace, they name its root on this one
 * (capabilities(7), "File capability versioning": version 3 is version 2 with that number at its end).
 */
function withoutRootId(value: string): string {
  const bytes = Buffer.from(value, "latin1");
  if (bytes.length !== 24 || bytes[3] !== 3) return value;
  bytes[3] = 2;
  return bytes.toString("latin1", 0, 20);
}

const isPortable = (name: string): boolean =>
  name === capability || (name.startsWith("user.") && !name.startsWith("user.overlay."));

/** For cache keys. */
export async function entriesKey(entries: readonly LayerEntry[], spool: Spool): Promise<readonly unknown[]> {
  const keys: (readonly [string, string, number, number, number, number, string | Digest, readonly unknown[]])[] = [];
  for (const { path, node } of entries) {
    const what = node.kind === "file" ? await spool.digest(node) : node.kind === "symlink" ? node.target : "";
    keys.push([path, node.kind, node.mode, node.uid, node.gid, node.mtime, what, [...node.xattrs]]);
  }
  return keys;
}
