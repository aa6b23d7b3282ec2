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
import {
  checkSparse,
  paxRecordsMap,
  readOldGnuMap,
  readPaxBodyMap,
  type SparseFile,
  type TakeBytes,
} from "./tar-sparse.ts";

/** Long names and extended attributes of one entry. Linux takes paths of 4 KiB and 64 KiB of an attribute. */
const extensionBytesMax = 1024 * 1024;
/** Before one entry: a name, a link, attributes, and something for the whole archive. */
const extensionsMax = 16;

/** An entry and its body, which is gone when the next entry is asked for. Of a sparse file the body is its data. */
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
  let local: PaxRecord[] = [];
  let extensions = 0;
  for (;;) {
    const block = await reader.take(blockBytes);
    // Many writers leave the end mark out; a stream that just ends between entries is whole.
    const header = block === undefined ? undefined : parseHeader(block);
    if (block === undefined || header === undefined) break;
    if (await readExtension(reader, header, { global, local })) {
      if (++extensions > extensionsMax) throw invalid(`the archive has ${extensions} extended headers in a row`);
      continue;
    }
    const { entry, body } = await readEntry(reader, { block, header, records: [...global, ...local] });
    [local, extensions] = [[], 0];
    yield { entry, body: body.pieces() };
    await body.skip();
  }
  await reader.drain();
}

/** The body of an entry, which whoever reads the entry may read or not. */
class EntryBody {
  readonly #reader: ByteReader;
  readonly #bytes: number;
  #unread: number;

  constructor(reader: ByteReader, bytes: number) {
    this.#reader = reader;
    this.#bytes = bytes;
    this.#unread = bytes;
  }

  async *pieces(): AsyncGenerator<Buffer, void, undefined> {
    for await (const piece of this.#reader.pieces(this.#unread)) {
      this.#unread -= piece.length;
      yield piece;
    }
  }

  /** Reads what is left of it, and what fills it up to a whole block. */
  async skip(): Promise<void> {
    for await (const _ of this.pieces());
    if (this.#unread > 0) throw invalid("the archive ends in the middle of an entry");
    await this.#reader.take(paddingOf(this.#bytes));
  }
}

type PaxRecord = readonly [key: string, value: string];

/** Headers that say something about the next entry. True when `header` was one. */
async function readExtension(
  reader: ByteReader,
  header: RawHeader,
  into: { readonly global: Map<string, string>; readonly local: PaxRecord[] },
): Promise<boolean> {
  if (!"xgXLK".includes(header.flag)) return false;
  if (header.size > extensionBytesMax) {
    throw new LayerError(
      "TOO_LARGE",
      `an extended header has ${header.size} bytes, at most ${extensionBytesMax} are read`,
    );
  }
  const body = (await reader.take(header.size)) ?? Buffer.alloc(0);
  if (body.length < header.size) throw invalid("the archive ends in an extended header");
  await reader.take(paddingOf(header.size));
  if (header.flag === "L" || header.flag === "K") {
    const value = body.toString("latin1").replace(/\0.*$/s, "");
    into.local.push([header.flag === "L" ? "path" : "linkpath", value]);
    return true;
  }
  const records = parsePax(body);
  if (header.flag === "g") for (const [key, value] of records) into.global.set(key, value);
  else into.local.push(...records);
  if (into.global.size > 1_000) throw new LayerError("TOO_LARGE", "the archive has more than 1000 global records");
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
  // GNU's own sparse files.
  S: "file",
};

async function readEntry(
  reader: ByteReader,
  raw: { readonly block: Buffer; readonly header: RawHeader; readonly records: readonly PaxRecord[] },
): Promise<{ readonly entry: TarEntry; readonly body: EntryBody }> {
  const extensions = lastOf(raw.records);
  const entry = entryOf(raw.header, extensions);
  if (entry.type !== "file") return { entry, body: new EntryBody(reader, 0) };
  const take = async (length: number): Promise<Buffer> =>
    (await reader.take(length)) ?? Promise.reject(invalid("the archive ends in the map of a sparse file"));
  const sparse = await readSparse(raw, extensions, take);
  if (sparse === undefined) return { entry, body: new EntryBody(reader, entry.size) };
  const dataBytes = entry.size - sparse.mapBytes;
  checkSparse(sparse, dataBytes);
  return { entry: { ...entry, size: sparse.size, extents: sparse.extents }, body: new EntryBody(reader, dataBytes) };
}

/** Of them an empty record says that there is none; of attributes and maps it is a value. */
const headerKeys: ReadonlySet<string> = new Set(["path", "linkpath", "size", "uid", "gid", "mtime", "GNU.sparse.name"]);

/** POSIX, "pax Extended Header": a later record counts, and an empty one takes back what was said before it. */
function lastOf(records: readonly PaxRecord[]): ReadonlyMap<string, string> {
  const last = new Map<string, string>();
  for (const [key, value] of records) {
    if (value === "" && headerKeys.has(key)) last.delete(key);
    else last.set(key, value);
  }
  return last;
}

/** Undefined for a file that has no holes, or whose holes are written out. */
async function readSparse(
  raw: { readonly block: Buffer; readonly header: RawHeader; readonly records: readonly PaxRecord[] },
  extensions: ReadonlyMap<string, string>,
  take: TakeBytes,
): Promise<SparseFile | undefined> {
  if (raw.header.flag === "S") return readOldGnuMap(raw.block, take);
  const major = extensions.get("GNU.sparse.major");
  const inRecords = major === undefined ? paxRecordsMap(raw.records) : undefined;
  if (inRecords !== undefined || ![...extensions.keys()].some((key) => key.startsWith("GNU.sparse."))) return inRecords;
  const realSize = extensions.get("GNU.sparse.realsize");
  if (major !== "1" || extensions.get("GNU.sparse.minor") !== "0" || realSize === undefined) {
    throw invalid("a sparse file is of a form that nobody has written yet");
  }
  return readPaxBodyMap(realSize, take);
}

function entryOf(header: RawHeader, extensions: ReadonlyMap<string, string>): TarEntry {
  const path = extensions.get("GNU.sparse.name") ?? extensions.get("path") ?? header.name;
  const linkPath = extensions.get("linkpath") ?? header.linkName;
  const named = typeOf[header.flag];
  if (named === undefined) {
    throw invalid(`${shown(path)} is an entry of type ${shown(header.flag)}, which is not unpacked`);
  }
  // Before POSIX there was no type for directories; the name says it.
  const type = named === "file" && path.endsWith("/") ? "directory" : named;
  const size = numberIn(extensions, "size") ?? header.size;
  for (const value of [path, linkPath]) {
    if (value.includes("\0")) throw invalid("a name has a NUL character in it");
  }
  return {
    path,
    type,
    mode: header.mode,
    uid: numberIn(extensions, "uid") ?? header.uid,
    gid: numberIn(extensions, "gid") ?? header.gid,
    // As Go's reader, which made most archives: links, devices and directories have no body, whatever their size says.
    size: type === "file" ? size : 0,
    ...timeOf(header, extensions.get("mtime")),
    device: header.device,
    linkPath,
    xattrs: xattrsIn(extensions),
  };
}

/** A time that makes no sense is 1970: no reason to refuse a layer. */
function timeOf(header: RawHeader, pax: string | undefined): { readonly mtime: number; readonly mtimeNanos: number } {
  const [, sign, whole, fraction] = /^(-?)(\d{1,12})(?:\.(\d*))?$/.exec(pax ?? String(header.mtime)) ?? [];
  const seconds = Number(whole ?? 0);
  // Beyond 2^33 a header would need another form; such times are nonsense.
  if (seconds >= 2 ** 33) return { mtime: sign === "-" ? 0 : 2 ** 33 - 1, mtimeNanos: 0 };
  const nanos = Number((fraction ?? "").slice(0, 9).padEnd(9, "0"));
  if (sign !== "-") return { mtime: seconds, mtimeNanos: nanos };
  return nanos === 0 ? { mtime: -seconds, mtimeNanos: 0 } : { mtime: -seconds - 1, mtimeNanos: 1e9 - nanos };
}

function numberIn(extensions: ReadonlyMap<string, string>, key: string): number | undefined {
  const value = extensions.get(key);
  if (value === undefined) return undefined;
  if (!/^\d{1,15}$/.test(value)) throw invalid(`a pax header has ${key}=${shown(value)}`);
  return Number(value);
}

/** `SCHILY.` as all tars write them, the bytes as they are; `LIBARCHIVE.` the same from bsdtar, encoded. */
function xattrsIn(extensions: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const xattrs = new Map<string, string>();
  for (const [key, value] of extensions) {
    const [, name] = /^LIBARCHIVE\.xattr\.(.+)$/s.exec(key) ?? [];
    if (name !== undefined) xattrs.set(percentDecoded(name), Buffer.from(value, "base64").toString("latin1"));
  }
  for (const [key, value] of extensions) {
    const [, name] = /^SCHILY\.xattr\.(.+)$/s.exec(key) ?? [];
    if (name !== undefined) xattrs.set(name, value);
  }
  return xattrs;
}

const percentDecoded = (text: string): string =>
  text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));

const invalid = (message: string): LayerError => new LayerError("LAYER_INVALID", message);

/** A name from an archive, as it may be shown to a person. */
export const shown = (name: string): string => JSON.stringify(name.length > 120 ? `${name.slice(0, 120)}…` : name);
