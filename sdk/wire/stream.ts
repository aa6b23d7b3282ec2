import { assert } from "../internal/assert.ts";
import type { WireConnection } from "./connection.ts";
import { WireFault, type WireFaultCode } from "./fault.ts";
import {
  dataBytesMax,
  encodeAbort,
  encodeTextFrame,
  frameHeaderBytes,
  frameType,
  headBytesMax,
  type ResponseHead,
  streamWindowBytes,
} from "./frame.ts";

/** What is called as the peer's half of a stream arrives. After `failed`, or after both halves ended, nothing is. */
export interface StreamHandlers {
  /** Gateway's side only: the answer has begun. */
  head?(head: ResponseHead): void;
  /** Body bytes. The receiver owes `stream.consumed(chunk.length)` once it has used them; until then they hold credit. */
  data(chunk: Buffer): void;
  /** The peer's body is complete. `trailers`: flat. */
  end(trailers?: readonly string[]): void;
  /** The stream is over: the peer aborted it, or the connection is gone. Not called for an abort of one's own. */
  failed(fault: WireFault): void;
  /** `write` returned false before; all of it has left now. */
  writable?(): void;
}

const empty = Buffer.alloc(0);
// Half a window at a time: enough to keep the writer going, few frames.
const creditBytesMin = streamWindowBytes / 2;

/** One request and its answer. */
export class WireStream {
  readonly id: number;
  /** For the connection's table of streams. */
  next: WireStream | undefined;
  readonly #connection: WireConnection;
  readonly #side: "gateway" | "pod";
  #handlers: StreamHandlers | undefined;
  #sendCredit = streamWindowBytes;
  #receiveCredit = streamWindowBytes;
  /** Bytes that were consumed here and not yet given back to the peer. */
  #unacknowledged = 0;
  #queue: Uint8Array[] = [];
  #wantsWritable = false;
  #headDone = false;
  #ending = false;
  #trailers: readonly string[] = [];
  #localEnded = false;
  #remoteEnded = false;
  #closed = false;

  constructor(id: number, connection: WireConnection, side: "gateway" | "pod") {
    this.id = id;
    this.#connection = connection;
    this.#side = side;
  }

  /** True once nothing more can be sent or will arrive. */
  get closed(): boolean {
    return this.#closed;
  }

  /** See WireConnection. */
  get descriptor(): number {
    return this.#connection.descriptor;
  }

  /** For WireConnection: sets the handlers before the first frame. */
  handle(handlers: StreamHandlers): void {
    if (!this.#closed) this.#handlers = handlers;
  }

  /**
   * Pod's side: begins the answer. Once, before `write`. A head that is larger than a frame may be aborts the stream
   * with GUEST_LIMIT instead.
   */
  respond(head: ResponseHead): void {
    if (this.#closed) return;
    assert(this.#side === "pod" && !this.#headDone, "respond is called once, by the pod");
    this.#headDone = true;
    const frame = encodeTextFrame(frameType.response, this.id, JSON.stringify(head));
    if (frame.length > frameHeaderBytes + headBytesMax) {
      const failed = this.#handlers;
      const message = `the headers of the answer are larger than ${headBytesMax} bytes`;
      this.abort("GUEST_LIMIT", message);
      failed?.failed(new WireFault("GUEST_LIMIT", message));
    } else this.#connection.sendFrame(frame);
  }

  /**
   * Sends body bytes, which must not be changed afterwards. All of them are taken; false means that some wait for
   * credit, and the caller should pause until `writable`.
   */
  write(chunk: Uint8Array): boolean {
    if (this.#closed) return true;
    assert(!this.#ending, "write after end");
    assert(this.#side === "gateway" || this.#headDone, "write before respond");
    if (chunk.length > 0) this.#queue.push(chunk);
    this.#flush();
    if (this.#queue.length > 0) this.#wantsWritable = true;
    return this.#queue.length === 0;
  }

  /** This side's body is complete. Trailers are flat, and as few as headers: what is too long for a frame is not sent. */
  end(trailers: readonly string[] = []): void {
    if (this.#closed || this.#ending) return;
    this.#trailers = trailers;
    assert(this.#side === "gateway" || this.#headDone, "end before respond");
    this.#ending = true;
    this.#flush();
  }

  /** Ends the stream now, both ways. */
  abort(code: WireFaultCode, message: string): void {
    if (this.#closed) return;
    this.#connection.sendFrame(encodeAbort(this.id, code, message));
    this.#finish();
  }

  /** Gives back the credit of bytes that were handed to `data`. */
  consumed(byteCount: number): void {
    if (this.#closed || this.#remoteEnded) return;
    this.#unacknowledged += byteCount;
    assert(this.#receiveCredit + this.#unacknowledged <= streamWindowBytes, "consumed more than was received");
    if (this.#unacknowledged < creditBytesMin) return;
    const credit = Buffer.allocUnsafe(4);
    credit.writeUInt32BE(this.#unacknowledged, 0);
    this.#receiveCredit += this.#unacknowledged;
    this.#unacknowledged = 0;
    this.#connection.send(frameType.credit, this.id, credit);
  }

  /** The `receive…` methods are WireConnection's. They return false when the frame does not fit the stream's state. */
  receiveHead(head: ResponseHead): boolean {
    if (this.#side !== "gateway" || this.#headDone || this.#remoteEnded) return false;
    this.#headDone = true;
    this.#handlers?.head?.(head);
    return true;
  }

  receiveData(payload: Buffer): boolean {
    if (this.#remoteEnded || (this.#side === "gateway" && !this.#headDone)) return false;
    // A frame without bytes costs its sender no credit, so that nothing would bound their number.
    if (payload.length === 0 || payload.length > this.#receiveCredit) return false;
    this.#receiveCredit -= payload.length;
    this.#handlers?.data(payload);
    return true;
  }

  receiveEnd(trailers: readonly string[]): boolean {
    if (this.#remoteEnded || (this.#side === "gateway" && !this.#headDone)) return false;
    this.#remoteEnded = true;
    // The answer is complete: what the guest has not read of the request is of no use to anybody.
    const answered = this.#side === "gateway";
    const handlers = this.#handlers;
    if (this.#localEnded) this.#finish();
    else if (answered) this.abort("CANCELLED", "the answer is complete");
    handlers?.end(trailers);
    return true;
  }

  receiveAbort(fault: WireFault): void {
    if (this.#closed) return;
    const handlers = this.#handlers;
    this.#finish();
    handlers?.failed(fault);
  }

  receiveCredit(byteCount: number): boolean {
    this.#sendCredit += byteCount;
    if (byteCount === 0 || this.#sendCredit > streamWindowBytes) return false;
    this.#flush();
    if (this.#wantsWritable && this.#queue.length === 0) {
      this.#wantsWritable = false;
      this.#handlers?.writable?.();
    }
    return true;
  }

  #sendEnd(): void {
    const trailers = this.#trailers.length === 0 ? "" : JSON.stringify(this.#trailers);
    if (trailers === "" || Buffer.byteLength(trailers) > headBytesMax)
      this.#connection.send(frameType.end, this.id, empty);
    else this.#connection.sendFrame(encodeTextFrame(frameType.end, this.id, trailers));
  }

  #flush(): void {
    while (this.#sendCredit > 0) {
      const chunk = this.#queue[0];
      if (chunk === undefined) break;
      const length = Math.min(chunk.length, this.#sendCredit, dataBytesMax);
      const whole = length === chunk.length;
      this.#sendCredit -= length;
      this.#connection.send(frameType.data, this.id, whole ? chunk : chunk.subarray(0, length));
      if (whole) this.#queue.shift();
      else this.#queue[0] = chunk.subarray(length);
    }
    if (!this.#ending || this.#localEnded || this.#queue.length > 0) return;
    this.#localEnded = true;
    this.#sendEnd();
    // A pod that has answered wants no more of the request.
    if (this.#remoteEnded || this.#side === "pod") this.#finish();
  }

  #finish(): void {
    this.#closed = true;
    this.#queue = [];
    this.#handlers = undefined;
    this.#connection.forget(this.id);
  }
}
