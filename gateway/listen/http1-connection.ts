import type { Socket } from "node:net";
import { type BodyReader, bodyOf, type ParsedRequest } from "@shallop/sdk/http1";
import type { GatewayFaultCode } from "../proxy/fault-status.ts";
import {
  asksForWebSocket,
  expectation,
  parseClientRequest,
  requestProblemCode,
  trailerRules,
} from "../proxy/http1-request.ts";
import type { ClientConnection } from "./connections.ts";
import { Http1Client, type Http1Line } from "./http1-client.ts";

/** What all connections of HTTP/1 have in common. */
export interface Http1Host {
  readonly headerBytesMax: number;
  readonly headerTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly dateLine: string;
  readonly keepLines: string;
  readonly nowMs: () => number;
  /** A request has come. */
  readonly request: (connection: Http1Connection, head: ParsedRequest, peer: Http1Client) => void;
  /** A request that wants the connection for itself has come; `rest`: what came after it. */
  readonly upgrade: (connection: Http1Connection, head: ParsedRequest, rest: Buffer) => void;
  /** @returns the bytes of an answer to what is no request, or was none in time; in latin1 */
  readonly refusal: (connection: Http1Connection, code: GatewayFaultCode) => string;
  /** It is closed, or somebody else's. */
  readonly ended: (connection: Http1Connection) => void;
}

// A client that is about to ask on a connection cannot know that it is being closed: it is, a second later than it was told.
const idleSpareMs = 1_000;
// What a client may still send of a request that has been answered before its end. Closing at once would make the
// kernel reset the connection, and the client could lose the answer (RFC 9112, 9.6).
const lingerMs = 2_000;
const lingerBytesMax = 1024 * 1024;
// Of a body that nobody has asked for yet, or of requests that wait for their turn; more stays with the client.
const aheadBytesMax = 16 * 1024;

const headEnd = Buffer.from("\r\n\r\n", "latin1");
const [lineFeed, carriageReturn] = [0x0a, 0x0d];
const noBytes = Buffer.alloc(0);

/** A connection of a client that speaks HTTP/1: its requests, one after the other (RFC 9112, 9.3). */
export class Http1Connection implements Http1Line {
  readonly socket: Socket;
  readonly client: ClientConnection;
  readonly #host: Http1Host;
  /** What has been read and not understood: the beginning of a head, of a body that nobody has asked for, or requests to come. */
  #ahead: Buffer | undefined;
  /** How much of a head's beginning has been looked at for its end. */
  #looked = 0;
  #peer: Http1Client | undefined;
  /** Of the last request; undefined when it is complete. */
  #body: BodyReader | undefined;
  #isBodyWanted = false;
  #isDropping = false;
  #dropped = 0;
  /** What comes is dropped, until the client has gone. */
  #isEnding = false;
  #deadlineMs: number;
  #unsentBytes = Number.POSITIVE_INFINITY;

  /** `socket` may be paused; nothing of it has been read. */
  constructor(socket: Socket, client: ClientConnection, host: Http1Host) {
    this.socket = socket;
    this.client = client;
    this.#host = host;
    this.#deadlineMs = host.nowMs() + host.headerTimeoutMs;
    socket.on("data", this.#read);
    socket.on("drain", this.#drain);
    socket.on("error", this.#fail);
    socket.on("end", this.#end);
    socket.on("close", this.#close);
    socket.resume();
  }

  get dateLine(): string {
    return this.#host.dateLine;
  }

  get keepLines(): string {
    return this.#host.keepLines;
  }

  get isClosing(): boolean {
    return this.client.isClosing;
  }

  get isPaused(): boolean {
    return this.socket.isPaused();
  }

  /** Nothing of a request is here. */
  get isIdle(): boolean {
    return this.#peer === undefined && this.#ahead === undefined && this.#body === undefined;
  }

  closeAfter(): void {
    this.client.isClosing = true;
  }

  write(data: Buffer | string): boolean {
    return typeof data === "string" ? this.socket.write(data, "latin1") : this.socket.write(data);
  }

  writeLast(text: string): void {
    this.socket.write(text, "latin1", this.#answered);
    if (this.socket.writableLength > 0) this.#deadlineMs = this.#host.nowMs() + this.#host.idleTimeoutMs;
  }

  writeAll(parts: readonly (Buffer | string)[]): boolean {
    this.socket.cork();
    let takesMore = true;
    for (const part of parts) if (part.length > 0) takesMore = this.write(part);
    this.socket.uncork();
    return takesMore;
  }

  wantBody(): void {
    this.#isBodyWanted = true;
    this.resume();
    this.#takeAhead();
  }

  dropBody(): void {
    if (this.#body === undefined) return;
    this.#isDropping = true;
    this.wantBody();
  }

  pause(): void {
    if (this.#body !== undefined && !this.#isDropping) this.socket.pause();
  }

  resume(): void {
    if (this.socket.isPaused()) this.socket.resume();
  }

  cut(): void {
    this.client.isClosing = true;
    this.#deadlineMs = this.#host.nowMs() + this.#host.idleTimeoutMs;
    this.socket.destroySoon();
  }

  /** Ends it, with what has been written. Half of it at first: who is still sending when a connection is cut does not see what it was told. */
  end(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.client.isClosing = true;
    this.#ahead = undefined;
    this.#body = undefined;
    this.#deadlineMs = this.#host.nowMs() + lingerMs;
    this.socket.end();
    if (this.#dropped <= lingerBytesMax) this.resume();
  }

  /** Ends what has lasted too long; called now and then. */
  look(nowMs: number): void {
    if (nowMs < this.#deadlineMs) return;
    const unsentBytes = this.socket.writableLength;
    // A slow reader is none that has gone.
    if (unsentBytes > 0 && unsentBytes < this.#unsentBytes) {
      this.#deadlineMs = nowMs + this.#host.idleTimeoutMs;
      this.#unsentBytes = unsentBytes;
    } else if (this.#looked > 0) this.#refuse("REQUEST_TIMEOUT");
    else this.socket.destroy();
  }

  readonly #drain = (): void => this.#peer?.drained();

  // Its close says what there is to say.
  readonly #fail = (): void => void this.socket.destroy();

  /** As most servers have it: who sends no more is gone, unless all of its answer is on the way. */
  readonly #end = (): void => {
    if (this.#peer === undefined || this.#peer.isEnded) this.socket.end();
    else this.socket.destroy();
  };

  readonly #close = (): void => {
    this.#host.ended(this);
    this.#peer?.close();
  };

  readonly #read = (chunk: Buffer): void => {
    if (this.#isEnding) return this.#drop(chunk.length);
    const bytes = this.#ahead === undefined ? chunk : Buffer.concat([this.#ahead, chunk]);
    this.#ahead = undefined;
    this.#take(bytes);
  };

  #take(bytes: Buffer): void {
    if (this.#body !== undefined && this.#isBodyWanted) return this.#readBody(this.#body, bytes);
    if (this.#body === undefined && this.#peer === undefined) return this.#readHead(bytes);
    this.#ahead = bytes;
    if (bytes.length >= aheadBytesMax) this.socket.pause();
  }

  #takeAhead(): void {
    const bytes = this.#ahead;
    this.#ahead = undefined;
    if (bytes !== undefined) this.#take(bytes);
  }

  /** `bytes`: all that there is of a head, and perhaps what follows it. */
  #readHead(bytes: Buffer): void {
    // Above all what follows a request whose end is in doubt: nobody would be told what became of it.
    if (this.client.isClosing) return this.end();
    // An empty line before a request is what some clients send after a body (RFC 9112, 2.2).
    const start = bytes[0] === carriageReturn && bytes[1] === lineFeed ? 2 : 0;
    const end = bytes.indexOf(headEnd, Math.max(start, this.#looked - headEnd.length));
    const length = end + headEnd.length;
    if (end === -1) return this.#waitForHead(bytes);
    this.#looked = 0;
    if (length > this.#host.headerBytesMax) return this.#refuse("HEADERS_TOO_LARGE");
    const head = parseClientRequest(bytes.toString("latin1", start, length));
    if (typeof head === "string") return this.#refuse(requestProblemCode(head));
    this.#begin(head, length === bytes.length ? undefined : bytes.subarray(length));
  }

  #waitForHead(bytes: Buffer): void {
    for (let at = bytes.indexOf(lineFeed, this.#looked); at !== -1; at = bytes.indexOf(lineFeed, at + 1)) {
      // A parser that takes LF alone for a line's end sees another request.
      if (bytes[at - 1] !== carriageReturn) return this.#refuse("BAD_REQUEST");
    }
    if (bytes.length >= this.#host.headerBytesMax) return this.#refuse("HEADERS_TOO_LARGE");
    if (this.#looked === 0)
      this.#deadlineMs = Math.min(this.#deadlineMs, this.#host.nowMs() + this.#host.headerTimeoutMs);
    this.#looked = bytes.length;
    this.#ahead = bytes;
  }

  #begin(head: ParsedRequest, rest: Buffer | undefined): void {
    this.#deadlineMs = Number.POSITIVE_INFINITY;
    if (asksForWebSocket(head)) {
      this.#detach();
      return this.#host.upgrade(this, head, rest ?? noBytes);
    }
    if (!head.isPersistent) this.client.isClosing = true;
    const peer = new Http1Client(this, head, expectation(head) === "continue");
    this.#peer = peer;
    if (head.bodyBytes !== 0) this.#expectBody(peer, head.bodyBytes);
    this.#ahead = rest;
    this.#host.request(this, head, peer);
  }

  #expectBody(peer: Http1Client, bodyBytes: number | "chunked"): void {
    this.#isBodyWanted = false;
    this.#isDropping = false;
    this.#dropped = 0;
    const data = (bytes: Buffer): void => {
      if (this.#isDropping) this.#drop(bytes.length);
      else peer.received(bytes);
    };
    const end = (trailers: readonly string[]): void => {
      this.#body = undefined;
      peer.receivedAll(trailers);
    };
    this.#body = bodyOf(bodyBytes, { data, end }, trailerRules);
  }

  #readBody(body: BodyReader, bytes: Buffer): void {
    const count = body.push(bytes);
    // It may have been given up meanwhile.
    if (this.#isEnding) return;
    if (typeof count === "string") return this.#broken();
    if (!body.isOver) return;
    if (count < bytes.length) this.#ahead = bytes.subarray(count);
    if (this.#peer === undefined) this.#next();
  }

  /** What comes of a body is no body: nothing on the connection is clear any more. */
  #broken(): void {
    this.#body = undefined;
    this.client.isClosing = true;
    if (this.#peer === undefined) return this.end();
    // Who takes the request on may be about to: the body can have come with the head.
    queueMicrotask(() => {
      const [open] = this.client.open;
      open?.refuse("BAD_REQUEST");
    });
  }

  #drop(byteCount: number): void {
    this.#dropped += byteCount;
    if (this.#dropped <= lingerBytesMax) return;
    this.client.isClosing = true;
    this.socket.pause();
    if (this.#peer === undefined) this.end();
  }

  /** All of an answer has left, or there is nobody who would read it. */
  readonly #answered = (): void => {
    const peer = this.#peer;
    this.#peer = undefined;
    peer?.close();
    if (this.#isEnding || this.socket.destroyed) return;
    this.#unsentBytes = Number.POSITIVE_INFINITY;
    if (this.#body === undefined) return this.#next();
    if (this.client.isClosing) return this.end();
    this.#deadlineMs = this.#host.nowMs() + lingerMs;
    this.dropBody();
  };

  /** A request and its answer are over. */
  #next(): void {
    if (this.client.isClosing) return this.end();
    this.#deadlineMs = this.#host.nowMs() + this.#host.idleTimeoutMs + idleSpareMs;
    this.resume();
    this.#takeAhead();
  }

  /** What came is no request, or none in time. */
  #refuse(code: GatewayFaultCode): void {
    this.#looked = 0;
    this.client.isClosing = true;
    this.write(this.#host.refusal(this, code));
    this.end();
  }

  /** Somebody else reads the socket from here on. */
  #detach(): void {
    const { socket } = this;
    socket.off("data", this.#read);
    socket.off("drain", this.#drain);
    socket.off("error", this.#fail);
    socket.off("end", this.#end);
    socket.off("close", this.#close);
    this.#host.ended(this);
  }
}
