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
  /** Bytes of the body that follows; 0 for everything but files. */
  readonly size: number;
  /** Seconds since the epoch. */
  readonly mtime: number;
  /** Of a symlink its text, of a hardlink the path of the file. */
  readonly linkPath: string;
  readonly xattrs: ReadonlyMap<string, string>;
}

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
}

export const blockBytes = 512;

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
  return {
    flag: String.fromCharCode(block[156] ?? 0),
    name: prefix === "" ? name : `${prefix}/${name}`,
    mode: octal(block, 100, 8) & 0o7777,
    uid: octal(block, 108, 8),
    gid: octal(block, 116, 8),
    size: octal(block, 124, 12),
    mtime: octal(block, 136, 12),
    linkName: text(block, 157, 100),
  };
}

function text(block: Buffer, offset: number, length: number): string {
  const field = block.toString("latin1", offset, offset + length);
  const end = field.indexOf("\0");
  return end < 0 ? field : field.slice(0, end);
}

/** Octal digits, or with the first bit set a number in base 256 (GNU). */
function octal(block: Buffer, offset: number, length: number): number {
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

/** Records of a pax extended header: `<length> <key>=<value>\n`. @throws LayerError LAYER_INVALID */
export function parsePax(body: Buffer): Map<string, string> {
  const records = new Map<string, string>();
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
    records.set(all.slice(space + 1, equals), all.slice(equals + 1, end - 1));
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

/** The header of an entry, in GNU's format, whose long names are bytes as they are. The body and its padding follow. */
export function encodeEntry(entry: TarEntry): Buffer {
  const blocks: Buffer[] = [];
  if (entry.xattrs.size > 0) {
    const records = [...entry.xattrs].map(([key, value]) => paxRecord(`SCHILY.xattr.${key}`, value)).join("");
    blocks.push(...special("x", "pax", records));
  }
  if (entry.path.length > 100) blocks.push(...special("L", "././@LongLink", `${entry.path}\0`));
  if (entry.linkPath.length > 100) blocks.push(...special("K", "././@LongLink", `${entry.linkPath}\0`));
  blocks.push(header({ ...entry, flag: flagOf[entry.type] }));
  return Buffer.concat(blocks);
}

export const paddingOf = (size: number): number => (blockBytes - (size % blockBytes)) % blockBytes;

/** Two blocks of zeros. */
export const archiveEnd: Buffer = Buffer.alloc(2 * blockBytes);

function special(flag: string, path: string, body: string): Buffer[] {
  const bytes = Buffer.from(body, "latin1");
  const head = header({ flag, path, linkPath: "", mode: 0, uid: 0, gid: 0, size: bytes.length, mtime: 0 });
  return [head, bytes, Buffer.alloc(paddingOf(bytes.length))];
}

function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  // The length counts its own digits.
  let length = rest.length + 1;
  while (String(length).length + rest.length > length) length++;
  return `${length}${rest}`;
}

function header(fields: {
  readonly flag: string;
  readonly path: string;
  readonly linkPath: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
}): Buffer {
  const block = Buffer.alloc(blockBytes);
  block.write(fields.path.slice(0, 100), 0, "latin1");
  writeNumber(block, fields.mode, 100, 8);
  writeNumber(block, fields.uid, 108, 8);
  writeNumber(block, fields.gid, 116, 8);
  writeNumber(block, fields.size, 124, 12);
  writeNumber(block, fields.mtime, 136, 12);
  block.write("        ", 148, "latin1");
  block.write(fields.flag, 156, "latin1");
  block.write(fields.linkPath.slice(0, 100), 157, "latin1");
  block.write("ustar  \0", 257, "latin1");
  // Devices are only ever whiteouts: major 0, minor 0.
  writeNumber(block, 0, 329, 8);
  writeNumber(block, 0, 337, 8);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
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
