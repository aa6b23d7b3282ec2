// Datagrams on a connection that a gate has let through to a UDP port: two bytes of length, and so many of the datagram, both ways.

const headBytes = 2;
/** What a length can say; no datagram is longer. */
const datagramBytesMax = 65_535;

/** One that is too long to be a datagram is none: undefined. */
export function encodeDatagram(datagram: Uint8Array): Buffer | undefined {
  if (datagram.length > datagramBytesMax) return undefined;
  const frame = Buffer.allocUnsafe(headBytes + datagram.length);
  frame.writeUInt16BE(datagram.length);
  frame.set(datagram, headBytes);
  return frame;
}

/** Bytes in, datagrams out. */
export class DatagramReader {
  readonly #received: (datagram: Uint8Array) => void;
  #waiting: Buffer = Buffer.alloc(0);

  constructor(received: (datagram: Uint8Array) => void) {
    this.#received = received;
  }

  push(chunk: Buffer): void {
    this.#waiting = this.#waiting.length === 0 ? chunk : Buffer.concat([this.#waiting, chunk]);
    while (this.#waiting.length >= headBytes) {
      const end = headBytes + this.#waiting.readUInt16BE();
      if (this.#waiting.length < end) return;
      this.#received(this.#waiting.subarray(headBytes, end));
      this.#waiting = this.#waiting.subarray(end);
    }
  }
}
