type Below = (below: number) => number;

const edits: readonly ((bytes: readonly number[], at: number, below: Below) => readonly number[])[] = [
  // Another byte, one near to it, one bit of it.
  (bytes, at, below) => bytes.with(at, below(256)),
  (bytes, at, below) => bytes.with(at, ((bytes[at] ?? 0) + below(5) + 254) & 0xff),
  (bytes, at, below) => bytes.with(at, (bytes[at] ?? 0) ^ (1 << below(8))),
  // One more, some fewer, the rest gone, some twice.
  (bytes, at, below) => bytes.toSpliced(at, 0, below(256)),
  (bytes, at, below) => bytes.toSpliced(at, 1 + below(4)),
  (bytes, at) => bytes.slice(0, at),
  (bytes, at, below) => bytes.toSpliced(at, 0, ...bytes.slice(at, at + 1 + below(16))),
];

export interface Range {
  readonly start: number;
  readonly end: number;
}

/** A copy with one to three changes in one of the ranges; most leave the length as it is, so that what follows can be read. */
export function mutate(original: Uint8Array, within: readonly Range[], below: Below): Uint8Array {
  const { start, end } = within[below(within.length)] ?? { start: 0, end: original.length };
  let bytes: readonly number[] = [...original];
  for (let left = 1 + below(3); left > 0; left--) {
    const at = start + below(end - start);
    if (at >= bytes.length) break;
    const edit = edits[below(4) === 0 ? below(edits.length) : below(3)];
    bytes = edit?.(bytes, at, below) ?? bytes;
  }
  return Uint8Array.from(bytes);
}
