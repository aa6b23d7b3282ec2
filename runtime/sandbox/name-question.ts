/** The question of a DNS message, as far as it is looked at. */
export interface NameQuestion {
  readonly id: number;
  /** Lower case, without the last dot. */
  readonly name: string;
  /** Length of header and question. */
  readonly bytes: number;
}

const headerBytes = 12;
const classIn = 1;
// RFC 1035, 2.3.4.
const nameBytesMax = 255;
const labelBytesMax = 63;

/** Reads a query with one question (RFC 1035, 4.1); undefined when it is none. Of hostile bytes. */
export function parseQuestion(message: Uint8Array): NameQuestion | undefined {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  if (message.length < headerBytes) return undefined;
  const isResponse = (view.getUint16(2) & 0x8000) !== 0;
  if (isResponse || view.getUint16(4) !== 1) return undefined;
  const labels: string[] = [];
  let at = headerBytes;
  for (;;) {
    const length = message[at];
    // A pointer in a question points to nothing that was before it.
    if (length === undefined || length > labelBytesMax) return undefined;
    at++;
    if (length === 0) break;
    if (at + length > message.length || at + length - headerBytes > nameBytesMax) return undefined;
    labels.push(
      Buffer.from(message.subarray(at, at + length))
        .toString("latin1")
        .toLowerCase(),
    );
    at += length;
  }
  // Type and class.
  const end = at + 4;
  return end > message.length ? undefined : { id: view.getUint16(0), name: labels.join("."), bytes: end };
}

/** What is asked for, and whether of the internet's names. */
export function typeOf(
  message: Uint8Array,
  { bytes }: NameQuestion,
): { readonly type: number; readonly isInternet: boolean } {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  return { type: view.getUint16(bytes - 4), isInternet: view.getUint16(bytes - 2) === classIn };
}

/**
 * Header and question of an answer of ours (RFC 1035, 4.1.1): a response of who knows (AA), with RD as it was and RA,
 * which says how many records follow.
 */
export function answered(
  message: Uint8Array,
  question: NameQuestion,
  { code, records, isTruncated }: { readonly code: number; readonly records: number; readonly isTruncated: boolean },
): Buffer {
  const answer = Buffer.from(message.subarray(0, question.bytes));
  answer[2] = 0x84 | (isTruncated ? 0x02 : 0) | ((answer[2] ?? 0) & 0x01);
  answer[3] = 0x80 | code;
  // No records but the question and those.
  answer.fill(0, 6, headerBytes);
  answer.writeUInt16BE(records, 6);
  return answer;
}

/** RCODEs of RFC 1035, 4.1.1. */
export const responseCode = { serverFailure: 2, noSuchName: 3 } as const;

/** The answer that there is no such name, from us. */
export const noSuchName = (message: Uint8Array, question: NameQuestion): Uint8Array =>
  answered(message, question, { code: responseCode.noSuchName, records: 0, isTruncated: false });

/** The message with another id. */
export function withId(message: Uint8Array, id: number): Uint8Array {
  const copy = Buffer.from(message);
  copy.writeUInt16BE(id, 0);
  return copy;
}
