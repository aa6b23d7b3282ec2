/**
 * Tar headers: POSIX.1-2001 (ustar, pax) and GNU. Names are kept as bytes, one character a byte (`latin1`): an archive's
 * names need not be UTF-8, and what is written out must be what was read. This file and what it imports is loaded in the
 * jail, which may read nothing but this folder.
 */

export type LayerErrorCode =
  /** Not a well-formed archive, or one that reaches out of its directory. */
  | "LAYER_INVALID"
  /** A bound was passed. */
  | "TOO_LARGE"
  /** The layer can only be unpacked by somebody who knows the layers below. */
  | "NEEDS_LOWERS";

export class LayerError extends Error {
  readonly code: LayerErrorCode;

  constructor(code: LayerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export type EntryType = "file" | "hardlink" | "symlink" | "character" | "block" | "directory" | "fifo";

export interface TarEntry {
  readonly path: string;
  readonly type: EntryType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of the file; 0 for everything else. Those of a sparse file with its holes. */
  readonly size: number;
  /** Where a sparse file has data; the body that follows is only that. Absent when it is all there. */
  readonly extents?: readonly Extent[];
  /** Whole seconds since the epoch, negative before it. */
  readonly mtime: number;
  /** 0 to 999,999,999, which come on top. */
  readonly mtimeNanos: number;
  /** Of a device; 0 for everything else. */
  readonly device: DeviceNumber;
  /** Of a symlink its text, of a hardlink the path of the file. */
  readonly linkPath: string;
  readonly xattrs: ReadonlyMap<string, string>;
}

/** A part of a sparse file that is not a hole. */
export interface Extent {
  readonly offset: number;
  readonly length: number;
}

export interface DeviceNumber {
  readonly major: number;
  readonly minor: number;
}

export const noDevice: DeviceNumber = { major: 0, minor: 0 };

/** What a header block says, before what the headers before it add. */
export interface RawHeader {
  readonly flag: string;
  readonly name: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly linkName: string;
  readonly device: DeviceNumber;
}

export const blockBytes = 512;

/** Bytes of an entry's body: of a sparse file only its data. */
export const bodyBytes = (entry: Pick<TarEntry, "size" | "extents">): number =>
  entry.extents?.reduce((sum, extent) => sum + extent.length, 0) ?? entry.size;

const invalid = (message: string): LayerError => new LayerError("LAYER_INVALID", message);

/** Undefined for a block of zeros, which ends an archive. @throws LayerError LAYER_INVALID */
export function parseHeader(block: Buffer): RawHeader | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  const claimed = octal(block, 148, 8);
  let unsigned = 0;
  let signed = 0;
  for (let index = 0; index < blockBytes; index++) {
    const byte = index >= 148 && index < 156 ? 0x20 : (block[index] ?? 0);
    unsigned += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  // Some old tars added signed characters.
  if (claimed !== unsigned && claimed !== signed)
    throw invalid("a header has a wrong checksum: this is no tar archive");
  // GNU's own format has other things where POSIX has the prefix; its magic ends in spaces.
  const isPosix = block.toString("latin1", 257, 263) === "ustar\0";
  const prefix = isPosix ? text(block, 345, 155) : "";
  const name = text(block, 0, 100);
  const flag = String.fromCharCode(block[156] ?? 0);
  return {
    flag,
    name: prefix === "" ? name : `${prefix}/${name}`,
    mode: octal(block, 100, 8) & 0o7777,
    uid: octal(block, 108, 8),
    gid: octal(block, 116, 8),
    size: octal(block, 124, 12),
    mtime: (block[136] ?? 0) === 0xff ? negative(block, 136, 12) : octal(block, 136, 12),
    linkName: text(block, 157, 100),
    // Writers leave what is there when the entry is no device.
    device: "34".includes(flag) ? { major: octal(block, 329, 8), minor: octal(block, 337, 8) } : noDevice,
  };
}

function text(block: Buffer, offset: number, length: number): string {
  const field = block.toString("latin1", offset, offset + length);
  const end = field.indexOf("\0");
  return end < 0 ? field : field.slice(0, end);
}

/** Octal digits, or with the first bit set a number in base 256 (GNU). */
export function octal(block: Buffer, offset: number, length: number): number {
  const first = block[offset] ?? 0;
  if ((first & 0x80) !== 0) {
    if (first !== 0x80) throw invalid("a header has a number that is negative or beyond all bounds");
    let value = 0;
    for (let index = offset + 1; index < offset + length; index++) value = value * 256 + (block[index] ?? 0);
    if (!Number.isSafeInteger(value)) throw invalid("a header has a number that is beyond all bounds");
    return value;
  }
  const digits = text(block, offset, length).trim();
  if (digits === "") return 0;
  if (!/^[0-7]+$/.test(digits)) throw invalid("a header has a number that is not octal");
  return Number.parseInt(digits, 8);
}

/** A negative number in base 256 (GNU): a time before 1970. */
function negative(block: Buffer, offset: number, length: number): number {
  const value = block.subarray(offset, offset + length).readIntBE(length - 6, 6);
  const isSmall = block.subarray(offset, offset + length - 6).every((byte) => byte === 0xff);
  if (!isSmall || value >= 0) throw invalid("a header has a number that is negative or beyond all bounds");
  return value;
}

/**
 * Records of a pax extended header in their order, since some keys come again and again: `<length> <key>=<value>\n`.
 * @throws LayerError LAYER_INVALID
 */
export function parsePax(body: Buffer): readonly (readonly [key: string, value: string])[] {
  const records: [string, string][] = [];
  const all = body.toString("latin1");
  for (let offset = 0; offset < all.length;) {
    const space = all.indexOf(" ", offset);
    const digits = space < 0 ? "" : all.slice(offset, space);
    const length = Number(digits);
    const end = offset + length;
    const equals = all.indexOf("=", space);
    if (!/^\d{1,9}$/.test(digits) || end > all.length || equals < 0 || equals >= end || all[end - 1] !== "\n") {
      throw invalid("a pax header is malformed");
    }
    records.push([all.slice(space + 1, equals), all.slice(equals + 1, end - 1)]);
    offset = end;
  }
  return records;
}

const flagOf = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
} satisfies Record<EntryType, string>;

/**
 * The header of an entry, in GNU's format, whose long names are bytes as they are. The body and `paddingOf` it follow.
 * A sparse file's map comes with the header.
 */
export function encodeEntry(entry: TarEntry): Buffer {
  const blocks: Buffer[] = [];
  const records = [...entry.xattrs].map(([key, value]) => paxRecord(`SCHILY.xattr.${key}`, value));
  if (entry.mtimeNanos > 0 || entry.mtime < 0) records.push(paxRecord("mtime", paxTime(entry)));
  if (records.length > 0) blocks.push(...special("x", "pax", records.join("")));
  if (entry.path.length > 100) blocks.push(...special("L", "././@LongLink", `${entry.path}\0`));
  if (entry.linkPath.length > 100) blocks.push(...special("K", "././@LongLink", `${entry.linkPath}\0`));
  const fields = { ...entry, mtime: Math.max(0, entry.mtime), size: bodyBytes(entry), flag: flagOf[entry.type] };
  const { size, extents } = entry;
  if (extents === undefined) blocks.push(header(fields));
  else blocks.push(sparseHeader({ ...fields, flag: "S" }, { size, extents }));
  return Buffer.concat(blocks);
}

/** GNU's own form of a sparse file: four extents in the header, twenty-one in each block after it. */
function sparseHeader(
  fields: HeaderFields,
  file: { readonly size: number; readonly extents: readonly Extent[] },
): Buffer {
  const block = header(fields);
  const { extents } = file;
  writeExtents(block, 386, extents.slice(0, 4));
  block[482] = extents.length > 4 ? 1 : 0;
  writeNumber(block, file.size, 483, 12);
  writeChecksum(block);
  const blocks = [block];
  for (let index = 4; index < extents.length; index += 21) {
    const more = Buffer.alloc(blockBytes);
    writeExtents(more, 0, extents.slice(index, index + 21));
    more[504] = extents.length > index + 21 ? 1 : 0;
    blocks.push(more);
  }
  return Buffer.concat(blocks);
}

function writeExtents(block: Buffer, offset: number, extents: readonly Extent[]): void {
  for (const [index, extent] of extents.entries()) {
    writeNumber(block, extent.offset, offset + index * 24, 12);
    writeNumber(block, extent.length, offset + index * 24 + 12, 12);
  }
}

/** Seconds as a decimal fraction: one nanosecond before 1970 is -0.000000001. */
function paxTime({ mtime, mtimeNanos }: Pick<TarEntry, "mtime" | "mtimeNanos">): string {
  const isBefore = mtime < 0 && mtimeNanos > 0;
  const seconds = isBefore ? mtime + 1 : mtime;
  const nanos = isBefore ? 1e9 - mtimeNanos : mtimeNanos;
  const sign = mtime < 0 ? "-" : "";
  return `${sign}${Math.abs(seconds)}.${String(nanos).padStart(9, "0")}`;
}

export const paddingOf = (size: number): number => (blockBytes - (size % blockBytes)) % blockBytes;

/** Two blocks of zeros. */
export const archiveEnd: Buffer = Buffer.alloc(2 * blockBytes);

function special(flag: string, path: string, body: string): Buffer[] {
  const bytes = Buffer.from(body, "latin1");
  const common = { linkPath: "", mode: 0, uid: 0, gid: 0, mtime: 0, device: noDevice };
  const head = header({ ...common, flag, path, size: bytes.length });
  return [head, bytes, Buffer.alloc(paddingOf(bytes.length))];
}

function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  // The length counts its own digits.
  let length = rest.length + 1;
  while (String(length).length + rest.length > length) length++;
  return `${length}${rest}`;
}

interface HeaderFields {
  readonly flag: string;
  readonly path: string;
  readonly linkPath: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly device: DeviceNumber;
}

function header(fields: HeaderFields): Buffer {
  const block = Buffer.alloc(blockBytes);
  block.write(fields.path.slice(0, 100), 0, "latin1");
  writeNumber(block, fields.mode, 100, 8);
  writeNumber(block, fields.uid, 108, 8);
  writeNumber(block, fields.gid, 116, 8);
  writeNumber(block, fields.size, 124, 12);
  writeNumber(block, fields.mtime, 136, 12);
  block.write(fields.flag, 156, "latin1");
  block.write(fields.linkPath.slice(0, 100), 157, "latin1");
  block.write("ustar  \0", 257, "latin1");
  writeNumber(block, fields.device.major, 329, 8);
  writeNumber(block, fields.device.minor, 337, 8);
  writeChecksum(block);
  return block;
}

/** Of all bytes, those of the sum itself counted as spaces. */
function writeChecksum(block: Buffer): void {
  block.write("        ", 148, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
}

function writeNumber(block: Buffer, value: number, offset: number, length: number): void {
  const digits = value.toString(8);
  if (digits.length < length) {
    block.write(`${digits.padStart(length - 1, "0")}\0`, offset, "latin1");
    return;
  }
  block[offset] = 0x80;
  let rest = value;
  for (let index = offset + length - 1; index > offset; index--) {
    block[index] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}
