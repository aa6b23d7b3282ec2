import {
  blockBytes,
  type EntryType,
  LayerError,
  paddingOf,
  parseHeader,
  parsePax,
  type RawHeader,
  type TarEntry,
} from "./tar-format.ts";

/** Long names and extended attributes of one entry. Linux takes paths of 4 KiB and 64 KiB of an attribute. */
const extensionBytesMax = 1024 * 1024;

/** An entry and its body, which must be read to its end before the next entry is asked for. */
export interface ReadEntry {
  readonly entry: TarEntry;
  readonly body: AsyncIterable<Buffer>;
}

/** Reads exact amounts from a stream of chunks. */
class ByteReader {
  readonly #source: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Undefined when the stream ends before the first byte. */
  async take(length: number): Promise<Buffer | undefined> {
    const parts: Buffer[] = [];
    let missing = length;
    for await (const part of this.pieces(length)) {
      parts.push(part);
      missing -= part.length;
    }
    if (missing === length && length > 0) return undefined;
    if (missing > 0) throw new LayerError("LAYER_INVALID", "the archive ends in the middle of an entry");
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
  }

  /** The next `length` bytes as they come; fewer when the stream ends. */
  async *pieces(length: number): AsyncGenerator<Buffer, void, undefined> {
    let missing = length;
    while (missing > 0) {
      if (this.#rest.length === 0) {
        const next = await this.#source.next();
        if (next.done === true) return;
        this.#rest = next.value;
        continue;
      }
      const piece = this.#rest.subarray(0, Math.min(missing, this.#rest.length));
      this.#rest = this.#rest.subarray(piece.length);
      missing -= piece.length;
      yield piece;
    }
  }

  async drain(): Promise<void> {
    this.#rest = Buffer.alloc(0);
    while ((await this.#source.next()).done !== true);
  }
}

/**
 * Reads an archive as a stream, with bounded memory. What comes after the end mark is read and ignored.
 *
 * @throws LayerError LAYER_INVALID | TOO_LARGE
 */
export async function* readTar(source: AsyncIterable<Buffer>): AsyncGenerator<ReadEntry, void, undefined> {
  const reader = new ByteReader(source);
  const global = new Map<string, string>();
  let extensions = new Map<string, string>();
  for (;;) {
    const block = await reader.take(blockBytes);
    // Many writers leave the end mark out; a stream that just ends between entries is whole.
    const header = block === undefined ? undefined : parseHeader(block);
    if (header === undefined) break;
    if (await readExtension(reader, header, { global, local: extensions })) continue;
    const entry = entryOf(header, new Map([...global, ...extensions]));
    extensions = new Map();
    let unread = entry.size;
    const body = (async function* pieces(): AsyncGenerator<Buffer, void, undefined> {
      for await (const piece of reader.pieces(entry.size)) {
        unread -= piece.length;
        yield piece;
      }
    })();
    yield { entry, body };
    if (unread > 0) {
      for await (const _ of body);
      if (unread > 0) throw new LayerError("LAYER_INVALID", "the archive ends in the middle of an entry");
    }
    await reader.take(paddingOf(entry.size));
  }
  await reader.drain();
}

/** Headers that say something about the next entry. True when `header` was one. */
async function readExtension(
  reader: ByteReader,
  header: RawHeader,
  into: { readonly global: Map<string, string>; readonly local: Map<string, string> },
): Promise<boolean> {
  if (!"xgXLK".includes(header.flag)) return false;
  if (header.size > extensionBytesMax) {
    throw new LayerError(
      "TOO_LARGE",
      `an extended header has ${header.size} bytes, at most ${extensionBytesMax} are read`,
    );
  }
  const body = (await reader.take(header.size)) ?? Buffer.alloc(0);
  if (body.length < header.size) throw new LayerError("LAYER_INVALID", "the archive ends in an extended header");
  await reader.take(paddingOf(header.size));
  if (header.flag === "L" || header.flag === "K") {
    const value = body.toString("latin1").replace(/\0.*$/s, "");
    into.local.set(header.flag === "L" ? "path" : "linkpath", value);
    return true;
  }
  const target = header.flag === "g" ? into.global : into.local;
  for (const [key, value] of parsePax(body)) target.set(key, value);
  if (target.size > 1_000) throw new LayerError("TOO_LARGE", "an extended header has more than 1000 records");
  return true;
}

const typeOf: Readonly<Record<string, EntryType>> = {
  "\0": "file",
  "0": "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "character",
  "4": "block",
  "5": "directory",
  "6": "fifo",
  // Contiguous files: a wish about the disk that nobody fulfils.
  "7": "file",
};

function entryOf(header: RawHeader, extensions: ReadonlyMap<string, string>): TarEntry {
  const path = extensions.get("path") ?? header.name;
  const linkPath = extensions.get("linkpath") ?? header.linkName;
  const named = typeOf[header.flag];
  if (named === undefined || [...extensions.keys()].some((key) => key.startsWith("GNU.sparse."))) {
    const what = header.flag === "S" || named !== undefined ? "a sparse file" : `an entry of type "${header.flag}"`;
    throw new LayerError("LAYER_INVALID", `${shown(path)} is ${what}, which is not unpacked`);
  }
  // Before POSIX there was no type for directories; the name says it.
  const type = named === "file" && path.endsWith("/") ? "directory" : named;
  const size = numberIn(extensions, "size") ?? header.size;
  const mtime = Math.floor(Math.max(0, Number(extensions.get("mtime") ?? header.mtime) || 0));
  for (const value of [path, linkPath]) {
    if (value.includes("\0")) throw new LayerError("LAYER_INVALID", "a name has a NUL character in it");
  }
  return {
    path,
    type,
    mode: header.mode,
    uid: numberIn(extensions, "uid") ?? header.uid,
    gid: numberIn(extensions, "gid") ?? header.gid,
    // As Go's reader, which made most archives: links, devices and directories have no body, whatever their size says.
    size: type === "file" ? size : 0,
    // Beyond 2^33 a header would need another form; such times are nonsense.
    mtime: Math.min(mtime, 2 ** 33 - 1),
    linkPath,
    xattrs: xattrsIn(extensions),
  };
}

function numberIn(extensions: ReadonlyMap<string, string>, key: string): number | undefined {
  const value = extensions.get(key);
  if (value === undefined) return undefined;
  if (!/^\d{1,15}$/.test(value)) throw new LayerError("LAYER_INVALID", `a pax header has ${key}=${shown(value)}`);
  return Number(value);
}

function xattrsIn(extensions: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const prefix = "SCHILY.xattr.";
  const own = [...extensions].filter(([key]) => key.startsWith(prefix));
  return new Map(own.map(([key, value]) => [key.slice(prefix.length), value]));
}

/** A name from an archive, as it may be shown to a person. */
export const shown = (name: string): string => JSON.stringify(name.length > 120 ? `${name.slice(0, 120)}…` : name);
