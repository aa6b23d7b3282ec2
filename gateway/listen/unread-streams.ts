import { constants, type ServerHttp2Stream } from "node:http2";

/** How far the client of one stream had come when it was last looked at. */
interface Reading {
  /** What the stream still had, and when it last had less. */
  leftBytes: number;
  leftAtMs: number;
  /** What all of its connection had sent, and when that last was more. */
  sentBytes: number;
  sentAtMs: number;
}

// Node tells only of whole writes that they have left, 64 KiB at most. A client that takes so much in ten times the pause of one that
// takes nothing is slower than a telephone line.
const slowFactor = 10;

/**
 * Streams of HTTP/2 whose answers have been written, and have not all left: nobody but the client has anything to do with them. One
 * whose client takes nothing is given up; as long as its connection takes something, it may be the stream's.
 */
export class UnreadStreams {
  readonly #idleTimeoutMs: number;
  readonly #readings = new Map<ServerHttp2Stream, Reading>();

  constructor(idleTimeoutMs: number) {
    this.#idleTimeoutMs = idleTimeoutMs;
  }

  add(stream: ServerHttp2Stream, nowMs: number): void {
    const [leftBytes, sentBytes] = [stream.bufferSize, sentOf(stream)];
    this.#readings.set(stream, { leftBytes, leftAtMs: nowMs, sentBytes, sentAtMs: nowMs });
    stream.once("close", () => this.#readings.delete(stream));
  }

  look(nowMs: number): void {
    for (const [stream, reading] of this.#readings) {
      const [leftBytes, sentBytes] = [stream.bufferSize, sentOf(stream)];
      if (leftBytes !== reading.leftBytes) [reading.leftBytes, reading.leftAtMs] = [leftBytes, nowMs];
      if (sentBytes !== reading.sentBytes) [reading.sentBytes, reading.sentAtMs] = [sentBytes, nowMs];
      const isStill = nowMs - reading.sentAtMs >= this.#idleTimeoutMs;
      if (isStill || nowMs - reading.leftAtMs >= this.#idleTimeoutMs * slowFactor)
        stream.close(constants.NGHTTP2_CANCEL);
    }
  }
}

const sentOf = ({ session }: ServerHttp2Stream): number =>
  session === undefined || session.destroyed ? 0 : session.socket.bytesWritten;
