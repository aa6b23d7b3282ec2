/** The question of a DNS message, as far as it is looked at. */
export interface NameQuestion {
  readonly id: number;
  /** Lower case, without the last dot. */
  readonly name: string;
  /** Length of header and question. */
  readonly bytes: number;
}

const headerBytes = 12;
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

/** The answer that there is no such name, from us (RFC 1035, 4.1.1: QR, RA, RCODE 3). */
export function noSuchName(message: Uint8Array, question: NameQuestion): Uint8Array {
  const answer = Buffer.from(message.subarray(0, question.bytes));
  const wantsRecursion = (answer[2] ?? 0) & 0x01;
  answer[2] = 0x80 | wantsRecursion;
  answer[3] = 0x80 | 3;
  // No records but the question.
  answer.fill(0, 6, headerBytes);
  return answer;
}

/** The message with another id. */
export function withId(message: Uint8Array, id: number): Uint8Array {
  const copy = Buffer.from(message);
  copy.writeUInt16BE(id, 0);
  return copy;
}
