import type { WireFaultCode } from "./fault.ts";

/**
 * The frame protocol between a gateway and a pod: many requests over one byte stream (a unix socket, or a tunnel).
 *
 *   frame = length of the payload (u32, big endian) · type (u8) · stream (u32, big endian) · payload
 *
 * Both ends begin with `hello`. Only the gateway opens streams, with rising odd numbers; stream 0 is the connection.
 * Bodies are credit-controlled per stream, so a slow reader holds back its writer and nobody else.
 */
export const frameType = {
  /** Payload: JSON `{"version":1}`. */
  hello: 0,
  /** Gateway → pod. Payload: JSON of RequestHead. Opens the stream. */
  request: 1,
  /** Pod → gateway. Payload: JSON of ResponseHead. */
  response: 2,
  /** Body bytes, at least one. Consumes credit of the stream. */
  data: 3,
  /** The sender's body is complete. Payload: none, or JSON of its trailers, flat as headers. */
  end: 4,
  /** The stream is over, now. Payload: JSON `{"code","message"}`. */
  abort: 5,
  /** Payload: u32, bytes that the receiver has consumed and may be sent again. */
  credit: 6,
  /** Pod → gateway: no new streams, please; those that run go on. */
  drain: 7,
} as const;

export type FrameType = (typeof frameType)[keyof typeof frameType];

export const protocolVersion = 1;
export const frameHeaderBytes = 9;

/** A request's headers are at most 16 KiB, a guest's may be four times that; JSON escapes may double it, and more. */
export const headBytesMax = 256 * 1024;
/** Small enough that streams take turns, large enough that the header costs nothing. */
export const dataBytesMax = 64 * 1024;
/** Bytes of one body that may be under way unacknowledged: four frames, about 1 ms of a fast local reader. */
export const streamWindowBytes = 4 * dataBytesMax;
/** More streams than this on one connection are refused: above any per-pod concurrency that the API accepts (1000). */
export const streamsMax = 1024;
/** The last number that fits the frame's u32. A connection that has used it takes no more; its owner dials anew. */
export const streamIdMax = 2 ** 32 - 1;
/** A code and a sentence. A longer message, such as a guest's whole stack, is cut by the sender. */
export const abortMessageCharsMax = 1000;

// A character takes at most six bytes in JSON (\u0000), and the code and the braces take less than a hundred.
const abortBytesMax = abortMessageCharsMax * 6 + 100;
const payloadBytesMax: Readonly<Record<number, number>> = {
  // Room for fields that a later version may add.
  [frameType.hello]: 1024,
  [frameType.request]: headBytesMax,
  [frameType.response]: headBytesMax,
  [frameType.data]: dataBytesMax,
  [frameType.end]: headBytesMax,
  [frameType.abort]: abortBytesMax,
  [frameType.credit]: 4,
  [frameType.drain]: 0,
};

/** Request as the guest shall see it. `headers` is flat: name, value, name, value; names in lower case. */
export interface RequestHead {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly scheme: "http" | "https";
  readonly authority: string;
  readonly headers: readonly string[];
  /** Shown in errors and logs. */
  readonly requestId: string;
  /** Milliseconds from now after which the answer is of no use. */
  readonly timeoutMs: number;
}

export interface ResponseHead {
  readonly status: number;
  readonly headers: readonly string[];
  /** What the pod spent before it could answer, for `Server-Timing`: `instantiate`, `handle`. */
  readonly phasesMs?: Readonly<Record<string, number>>;
}

/** One frame as bytes. */
export function encodeFrame(type: FrameType, stream: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(frameHeaderBytes + payload.length);
  writeHeader(frame, type, stream, payload.length);
  frame.set(payload, frameHeaderBytes);
  return frame;
}

/** One frame whose payload is the text in UTF-8; spares the copy that `encodeFrame` would make of it. */
export function encodeTextFrame(type: FrameType, stream: number, text: string): Buffer {
  const payloadBytes = Buffer.byteLength(text, "utf8");
  const frame = Buffer.allocUnsafe(frameHeaderBytes + payloadBytes);
  writeHeader(frame, type, stream, payloadBytes);
  frame.write(text, frameHeaderBytes, "utf8");
  return frame;
}

/** The frame that ends a stream. */
export function encodeAbort(stream: number, code: WireFaultCode, message: string): Buffer {
  return encodeTextFrame(
    frameType.abort,
    stream,
    JSON.stringify({ code, message: message.slice(0, abortMessageCharsMax) }),
  );
}

/** The header alone, for a payload too large to copy. */
export function encodeFrameHeader(type: FrameType, stream: number, payloadBytes: number): Buffer {
  const header = Buffer.allocUnsafe(frameHeaderBytes);
  writeHeader(header, type, stream, payloadBytes);
  return header;
}

function writeHeader(target: Buffer, type: FrameType, stream: number, payloadBytes: number): void {
  target.writeUInt32BE(payloadBytes, 0);
  target[4] = type;
  target.writeUInt32BE(stream, 5);
}

export type FrameSink = (type: number, stream: number, payload: Buffer) => void;

/** Cuts a byte stream into frames. Each byte is copied at most once, however finely the stream is cut. */
export class FrameReader {
  readonly #emit: FrameSink;
  /** The frame that is not complete: its first `#filled` bytes are here, `#expected` are known to be needed. */
  #partial: Buffer = Buffer.allocUnsafe(frameHeaderBytes);
  #filled = 0;
  #expected = frameHeaderBytes;

  /** `emit` gets each frame; the payload is a view that stays valid. */
  constructor(emit: FrameSink) {
    this.#emit = emit;
  }

  /** @returns false when a frame is unknown or larger than its type may be; nothing after it can be trusted. */
  push(chunk: Buffer): boolean {
    let offset = 0;
    while (this.#filled > 0 && offset < chunk.length) {
      offset += this.#fill(chunk, offset);
      if (this.#filled === this.#expected && !this.#completePart()) return false;
    }
    while (chunk.length - offset >= frameHeaderBytes) {
      const frameBytes = measure(chunk, offset);
      if (frameBytes === undefined) return false;
      if (chunk.length - offset < frameBytes) {
        this.#expect(frameBytes);
        break;
      }
      const payload = chunk.subarray(offset + frameHeaderBytes, offset + frameBytes);
      this.#emit(chunk[offset + 4] ?? 0, chunk.readUInt32BE(offset + 5), payload);
      offset += frameBytes;
    }
    if (offset < chunk.length) this.#fill(chunk, offset);
    return true;
  }

  /** The header of the partial frame is complete, or the whole of it. */
  #completePart(): boolean {
    const frame = this.#partial;
    const frameBytes = measure(frame, 0);
    if (frameBytes === undefined) return false;
    if (frameBytes > this.#filled) {
      this.#expect(frameBytes);
      frame.copy(this.#partial, 0, 0, frameHeaderBytes);
      return true;
    }
    this.#filled = 0;
    this.#expect(frameHeaderBytes);
    this.#emit(frame[4] ?? 0, frame.readUInt32BE(5), frame.subarray(frameHeaderBytes));
    return true;
  }

  #expect(frameBytes: number): void {
    this.#expected = frameBytes;
    this.#partial = Buffer.allocUnsafe(frameBytes);
  }

  #fill(chunk: Buffer, offset: number): number {
    const taken = Math.min(this.#expected - this.#filled, chunk.length - offset);
    chunk.copy(this.#partial, this.#filled, offset, offset + taken);
    this.#filled += taken;
    return taken;
  }
}

/** Length of the frame whose header is at `offset`; undefined when no such frame may be. */
function measure(bytes: Buffer, offset: number): number | undefined {
  const payloadBytes = bytes.readUInt32BE(offset);
  const most = payloadBytesMax[bytes[offset + 4] ?? -1];
  return most === undefined || payloadBytes > most ? undefined : frameHeaderBytes + payloadBytes;
}
