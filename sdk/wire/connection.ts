import type { Duplex } from "node:stream";
import { assert } from "../internal/assert.ts";
import { isWireFaultCode, WireFault, type WireFaultCode } from "./fault.ts";
import {
  encodeFrame,
  encodeFrameHeader,
  encodeTextFrame,
  FrameReader,
  frameType,
  type FrameType,
  protocolVersion,
  type RequestHead,
  streamIdMax,
  streamsMax,
} from "./frame.ts";
import { isFlatHeaders, isRequestHead, isResponseHead, parseJson } from "./head.ts";
import { type StreamHandlers, WireStream } from "./stream.ts";
import { StreamTable } from "./stream-table.ts";

export interface ConnectionHandlers {
  /**
   * A pod's side: a request has begun. Returns what is to be called as its body arrives. A throw aborts the stream:
   * a WireFault with its own code, anything else as `GUEST_FAILED`.
   */
  request?(head: RequestHead, stream: WireStream): StreamHandlers;
  /** The peer has said hello. */
  greeted?(): void;
  /** The peer takes no new streams. */
  draining?(): void;
  /** The connection is gone; every open stream has been told before. */
  closed(fault: WireFault | undefined): void;
}

const empty = Buffer.alloc(0);
// A payload up to this is copied into one buffer with its header: cheaper than a second element of the write.
const copyBytesMax = 4 * 1024;
// What is gathered in one turn is joined into one buffer up to this size, and handed over as it is above.
const joinBytesMax = 64 * 1024;

/** One end of a connection. A gateway's end calls `request`; a pod's end is given `handlers.request`. */
export class WireConnection {
  readonly #socket: Duplex;
  readonly #handlers: ConnectionHandlers;
  readonly #streams = new StreamTable();
  readonly #reader: FrameReader;
  readonly #descriptor: number;
  readonly #flushBatch = (): void => this.flush();
  /** The number that `request` uses next; on a pod's side, the highest that the peer has used. */
  #nextStream = 1;
  #peerStream = 0;
  #batch: Uint8Array[] = [];
  #batchBytes = 0;
  #greeted = false;
  #draining = false;
  #closing = false;
  #closed = false;

  constructor(socket: Duplex, handlers: ConnectionHandlers) {
    this.#socket = socket;
    this.#handlers = handlers;
    // Node has no other way to ask for it.
    this.#descriptor = (socket as { readonly _handle?: { readonly fd?: number } | null })._handle?.fd ?? 0;
    this.#reader = new FrameReader((type, stream, payload) => this.#receive(type, stream, payload));
    this.sendFrame(encodeTextFrame(frameType.hello, 0, JSON.stringify({ version: protocolVersion })));
    // Before it reads: a gateway may take it for certain that nothing was begun on a connection that is lost without a hello.
    if (handlers.request !== undefined) this.flush();
    socket.on("data", (chunk: Buffer) => {
      if (!this.#closed && !this.#reader.push(chunk))
        this.#protocolError("a frame is unknown or larger than it may be");
    });
    socket.on("error", (error) =>
      this.#close(new WireFault("CONNECTION_LOST", "the connection to the pod broke", { cause: error })),
    );
    socket.once("close", () => this.#close(new WireFault("CONNECTION_LOST", "the connection to the pod ended")));
    socket.once("end", () => this.#close(new WireFault("CONNECTION_LOST", "the connection to the pod ended")));
  }

  /**
   * The descriptor of its socket, into which another thread may write a frame for as long as this one does not go on:
   * all frames that have left, have left whole. 0 when part of one waits, or where there is no descriptor.
   */
  get descriptor(): number {
    return this.#socket.writableLength === 0 ? this.#descriptor : 0;
  }

  /** The peer has said hello. A pod does before it reads: with a connection that is lost before that, nothing was begun. */
  get isGreeted(): boolean {
    return this.#greeted;
  }

  /** Streams that are open now. */
  get openStreams(): number {
    return this.#streams.size;
  }

  /** May `request` be called? */
  get accepting(): boolean {
    return !this.#closed && !this.#draining && this.#streams.size < streamsMax && this.#nextStream <= streamIdMax;
  }

  /** Opens a stream. The caller has checked `accepting`. */
  request(head: RequestHead, handlers: StreamHandlers): WireStream {
    assert(this.accepting, "request on a connection that takes none");
    const id = this.#nextStream;
    this.#nextStream += 2;
    const stream = new WireStream(id, this, "gateway");
    stream.handle(handlers);
    this.#streams.add(stream);
    this.sendFrame(encodeTextFrame(frameType.request, id, JSON.stringify(head)));
    return stream;
  }

  /** A pod's end: asks the gateway for no new streams. */
  drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.send(frameType.drain, 0, empty);
  }

  /** Takes no new streams, and ends the connection when those that are open are over and all is sent. */
  close(): void {
    this.#draining = true;
    this.#closing = true;
    this.#closeIfIdle();
  }

  /** Ends the connection now. Open streams are told `CONNECTION_LOST`; what was sent before still leaves if it can. */
  destroy(): void {
    this.#close(undefined);
  }

  /** For WireStream. */
  send(type: FrameType, stream: number, payload: Uint8Array): void {
    if (payload.length <= copyBytesMax) return this.sendFrame(encodeFrame(type, stream, payload));
    this.#enqueue(encodeFrameHeader(type, stream, payload.length), payload);
  }

  /** For WireStream: bytes that are a frame. Frames of one turn of the event loop leave in one write. */
  sendFrame(frame: Uint8Array): void {
    this.#enqueue(frame);
  }

  /** The parts of one frame, at once: a guest that is interrupted while it writes must not leave half of one. */
  #enqueue(...parts: readonly Uint8Array[]): void {
    if (this.#closed) return;
    if (this.#batch.length === 0) setImmediate(this.#flushBatch);
    this.#batch.push(...parts);
    for (const part of parts) this.#batchBytes += part.length;
  }

  /**
   * Writes what has been sent now instead of at the end of this turn of the event loop; for whoever is about to keep
   * the thread busy.
   */
  flush(): void {
    const batch = this.#batch;
    const only = batch[0];
    if (only === undefined || this.#socket.destroyed) return;
    const joined = batch.length === 1 ? only : undefined;
    this.#batch = [];
    const bytes = this.#batchBytes;
    this.#batchBytes = 0;
    if (joined !== undefined) this.#socket.write(joined);
    else if (bytes <= joinBytesMax) this.#socket.write(Buffer.concat(batch, bytes));
    else {
      this.#socket.cork();
      for (const frame of batch) this.#socket.write(frame);
      this.#socket.uncork();
    }
  }

  /** For WireStream: both directions are over. */
  forget(id: number): void {
    this.#streams.delete(id);
    if (this.#closing) this.#closeIfIdle();
  }

  #receive(type: number, id: number, payload: Buffer): void {
    if (this.#closed) return;
    if (id === 0) return this.#receiveOfConnection(type, payload);
    if (!this.#greeted) return this.#protocolError("the first frame is not hello");
    if (type === frameType.request) return this.#receiveRequest(id, payload);
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      // A frame of a stream that this end has aborted already is no error: the peer could not know yet.
      const known = this.#handlers.request === undefined ? id < this.#nextStream : id <= this.#peerStream;
      if (!known || id % 2 === 0) this.#protocolError(`frame of type ${type} for stream ${id}, which never was`);
    } else if (!this.#dispatch(stream, type, payload)) {
      this.#protocolError(`frame of type ${type} does not fit stream ${id}`);
    }
  }

  #receiveOfConnection(type: number, payload: Buffer): void {
    if (!this.#greeted) {
      if (type === frameType.hello) return this.#receiveHello(payload);
      return this.#protocolError("the first frame is not hello");
    }
    // Only a pod asks for no more; it is the gateway that opens streams.
    if (type !== frameType.drain || this.#handlers.request !== undefined) {
      return this.#protocolError(`frame of type ${type} that is of no stream`);
    }
    this.#draining = true;
    this.#handlers.draining?.();
  }

  /** @returns false when the frame breaks the protocol. */
  #dispatch(stream: WireStream, type: number, payload: Buffer): boolean {
    switch (type) {
      case frameType.response: {
        const head = parseJson(payload);
        return isResponseHead(head) && stream.receiveHead(head);
      }
      case frameType.data:
        return stream.receiveData(payload);
      case frameType.end: {
        const trailers = payload.length === 0 ? [] : parseJson(payload);
        return isFlatHeaders(trailers) && stream.receiveEnd(trailers);
      }
      case frameType.abort:
        stream.receiveAbort(parseAbort(payload));
        return true;
      case frameType.credit:
        return payload.length === 4 && stream.receiveCredit(payload.readUInt32BE(0));
      default:
        return false;
    }
  }

  #receiveHello(payload: Buffer): void {
    const hello = parseJson(payload);
    const version = typeof hello === "object" && hello !== null && "version" in hello ? hello.version : undefined;
    if (version !== protocolVersion)
      return this.#protocolError(`the peer speaks version ${JSON.stringify(version)}, not ${protocolVersion}`);
    this.#greeted = true;
    this.#handlers.greeted?.();
  }

  #receiveRequest(id: number, payload: Buffer): void {
    const head = parseJson(payload);
    if (this.#handlers.request === undefined || id % 2 === 0 || id <= this.#peerStream || !isRequestHead(head)) {
      return this.#protocolError("a request that cannot be one");
    }
    this.#peerStream = id;
    const stream = new WireStream(id, this, "pod");
    this.#streams.add(stream);
    if (this.#draining || this.#streams.size > streamsMax) {
      return stream.abort(
        "REFUSED",
        this.#draining ? "the pod is draining" : `the pod has ${streamsMax} requests already`,
      );
    }
    try {
      stream.handle(this.#handlers.request(head, stream));
    } catch (error) {
      if (error instanceof WireFault) stream.abort(error.code, error.message);
      else stream.abort("GUEST_FAILED", error instanceof Error ? error.message : String(error));
    }
  }

  #protocolError(message: string): void {
    this.#close(new WireFault("PROTOCOL", `the peer broke the wire protocol: ${message}`));
  }

  #closeIfIdle(): void {
    if (this.#closed || this.#streams.size > 0) return;
    this.flush();
    this.#closed = true;
    // The peer closes in turn, which destroys the socket; one that does not is no worse than one that stays open.
    this.#socket.end();
    this.#handlers.closed(undefined);
  }

  #close(fault: WireFault | undefined): void {
    if (this.#closed) return;
    this.flush();
    this.#closed = true;
    const lost = fault ?? new WireFault("CONNECTION_LOST", "the connection to the pod was closed");
    for (const stream of this.#streams) stream.receiveAbort(lost);
    this.#socket.destroy();
    this.#handlers.closed(fault);
  }
}

function parseAbort(payload: Buffer): WireFault {
  const body = parseJson(payload);
  const record = typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
  const code =
    typeof record["code"] === "string" && isWireFaultCode(record["code"])
      ? record["code"]
      : ("PROTOCOL" satisfies WireFaultCode);
  return new WireFault(code, typeof record["message"] === "string" ? record["message"] : "no message");
}
