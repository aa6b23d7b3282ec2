import { blockBytes, type Extent, LayerError, octal } from "./tar-format.ts";

/**
 * Sparse files in archives. GNU tar has written four forms: its own (type `S`, the map in the header and the blocks after
 * it) and in pax 0.0 (a record per number), 0.1 (one record) and 1.0 (the map is the first part of the body).
 */

/** A disk image of a virtual machine has some thousands; the map of as many takes a few megabytes. */
const extentsMax = 100_000;

/** Gives the next bytes of the archive. @throws LayerError LAYER_INVALID when it ends before */
export type TakeBytes = (length: number) => Promise<Buffer>;

/** What is known of a sparse file once its map was read. */
export interface SparseFile {
  readonly size: number;
  readonly extents: readonly Extent[];
  /** Bytes of the body that were read for the map. */
  readonly mapBytes: number;
}

/** The map of GNU's own form: four extents in the header, twenty-one in each block after it while there are more. */
export async function readOldGnuMap(header: Buffer, take: TakeBytes): Promise<SparseFile> {
  const extents: Extent[] = [];
  addExtents(extents, header, { offset: 386, count: 4 });
  let more = header[482] === 1;
  while (more) {
    const block = await take(blockBytes);
    addExtents(extents, block, { offset: 0, count: 21 });
    more = block[504] === 1;
  }
  return { size: octal(header, 483, 12), extents, mapBytes: 0 };
}

function addExtents(
  extents: Extent[],
  block: Buffer,
  table: { readonly offset: number; readonly count: number },
): void {
  for (let index = 0; index < table.count; index++) {
    const at = table.offset + index * 24;
    // An unused place ends the table.
    if (block[at] === 0 && block[at + 12] === 0) return;
    addExtent(extents, octal(block, at, 12), octal(block, at + 12, 12));
  }
}

/** Of pax 0.0 and 0.1: all of it is in the records. Undefined when they are of no such form. */
export function paxRecordsMap(records: readonly (readonly [string, string])[]): SparseFile | undefined {
  const size = records.findLast(([key]) => key === "GNU.sparse.size")?.[1];
  if (size === undefined) return undefined;
  const one = records.findLast(([key]) => key === "GNU.sparse.map")?.[1];
  const numbers =
    one === undefined
      ? records
          .filter(([key]) => key === "GNU.sparse.offset" || key === "GNU.sparse.numbytes")
          .map(([, value]) => value)
      : one.split(",").filter((text) => text !== "");
  return { size: numberOf(size), extents: pairs(numbers.map(numberOf)), mapBytes: 0 };
}

/** Of pax 1.0: numbers in lines at the begin of the body, filled up to whole blocks. */
export async function readPaxBodyMap(realSize: string, take: TakeBytes): Promise<SparseFile> {
  let mapBytes = 0;
  let rest = "";
  const numbers: number[] = [];
  let count = Infinity;
  while (numbers.length < 1 + 2 * count) {
    const block = await take(blockBytes);
    mapBytes += blockBytes;
    const lines = (rest + block.toString("latin1")).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > blockBytes) throw invalid("has a line without an end");
    for (const line of lines)
      if (numbers.length < 1 + 2 * count) {
        numbers.push(numberOf(line));
        if (numbers.length === 1) count = checkCount(numbers[0] ?? 0);
      }
  }
  return { size: numberOf(realSize), extents: pairs(numbers.slice(1)), mapBytes };
}

/**
 * A map that is right: in order, without overlap, within the file, and of as many bytes as the body has.
 * @throws LayerError LAYER_INVALID
 */
export function checkSparse(file: SparseFile, bodyBytes: number): void {
  let end = 0;
  let data = 0;
  for (const { offset, length } of file.extents) {
    if (offset < end) throw invalid("has parts that overlap or are out of order");
    end = offset + length;
    data += length;
  }
  if (end > file.size) throw invalid("reaches beyond the end of the file");
  if (data !== bodyBytes) throw invalid(`promises ${data} bytes, and the archive has ${bodyBytes}`);
}

/** A file's bytes from its body: holes are zeros. */
export async function* withHoles(
  file: { readonly size: number; readonly extents: readonly Extent[] },
  body: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer, void, undefined> {
  const extents = file.extents.filter(({ length }) => length > 0);
  let position = 0;
  let index = 0;
  for await (let piece of body) {
    while (piece.length > 0) {
      const extent = extents[index];
      if (extent === undefined) return;
      if (position < extent.offset) yield* zeros(extent.offset - position);
      position = Math.max(position, extent.offset);
      const part = piece.subarray(0, extent.offset + extent.length - position);
      yield part;
      position += part.length;
      piece = piece.subarray(part.length);
      if (position === extent.offset + extent.length) index++;
    }
  }
  yield* zeros(file.size - position);
}

const zeroPiece = Buffer.alloc(64 * 1024);

function* zeros(length: number): Generator<Buffer, void, undefined> {
  for (let left = length; left > 0; left -= zeroPiece.length)
    yield zeroPiece.subarray(0, Math.min(left, zeroPiece.length));
}

function pairs(numbers: readonly number[]): readonly Extent[] {
  if (numbers.length % 2 !== 0) throw invalid("has an offset without a length");
  const extents: Extent[] = [];
  for (let index = 0; index < numbers.length; index += 2)
    addExtent(extents, numbers[index] ?? 0, numbers[index + 1] ?? 0);
  return extents;
}

function addExtent(extents: Extent[], offset: number, length: number): void {
  checkCount(extents.length + 1);
  if (!Number.isSafeInteger(offset + length)) throw invalid("has numbers beyond all bounds");
  extents.push({ offset, length });
}

function checkCount(count: number): number {
  if (count > extentsMax) throw new LayerError("TOO_LARGE", `a sparse file has more than ${extentsMax} parts`);
  return count;
}

function numberOf(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw invalid("has something else than numbers");
  return Number(text);
}

const invalid = (problem: string): LayerError => new LayerError("LAYER_INVALID", `the map of a sparse file ${problem}`);
