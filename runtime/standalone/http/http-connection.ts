import type { Socket } from "node:net";
import { type BodyReader, bodyOf, headBytesMax } from "@shallop/sdk/http1";
import { type ExchangeConnection, HttpExchange } from "./http-exchange.ts";
import { problemAnswer } from "./fault-answer.ts";
import { type AnswerTable, OpenAnswer } from "./open-answers.ts";
import { readInPlace } from "./read-in-place.ts";
import { fieldRules, parseRequestHead, type ReceivedHead, type RequestProblem } from "./request-head.ts";

/** What all connections of a server have in common. */
export interface ConnectionHost {
  /** A time of now, as exact as the last look at all connections. */
  readonly nowMs: number;
  /** The HTTP date of now. */
  readonly date: string;
  /** No connection takes another request. */
  readonly isClosing: boolean;
  /** What all connections are read into. */
  readonly buffer: Buffer;
  readonly requestId: () => string;
  readonly request: (head: ReceivedHead, exchange: HttpExchange, requestId: string) => void;
  readonly answers: AnswerTable;
  readonly closed: (connection: HttpConnection) => void;
}

// Of a connection without a request; longer than most clients keep one, so that it is theirs to close.
const idleTimeoutMs = 75_000;
// From the first byte of a head to its last.
const headTimeoutMs = 30_000;
// Requests that were sent while another one is answered; as much as a head of one may have.
const aheadBytesMax = headBytesMax;
// Of a body that no guest wants, so that the next request can be read: more costs the client more than a new connection.
const droppedBytesMax = 1024 * 1024;
// A client that still sends would not see its answer if the connection was cut at once.
const lingerMs = 5000;

const headEnd = "\r\n\r\n";

/** Stands for a request whose head cannot be understood: its client gets the answer that every client understands. */
const unknownRequest: ReceivedHead = {
  ...{ method: "GET", target: "/", authority: "", headers: [], bodyBytes: 0 },
  ...{ isPersistent: false, isOld: false, expectsContinue: false },
};

/** A connection of a client: its requests, one after the other. */
export class HttpConnection implements ExchangeConnection {
  readonly socket: Socket;
  readonly descriptor: number;
  readonly #host: ConnectionHost;
  readonly #open: OpenAnswer;
  /** What has been read and not understood: the beginning of a head, or requests that wait for their turn. */
  #ahead: Buffer | undefined;
  #exchange: HttpExchange | undefined;
  /** Of the last request; undefined when it is complete. */
  #body: BodyReader | undefined;
  /** No more requests are read. */
  #isLast = false;
  /** What is read is dropped, until the client has gone. */
  #isLingering = false;
  #dropped = 0;
  #deadlineMs: number;
  #unsentBytes = 0;

  /** `accepted`: of a server, paused. */
  constructor(accepted: Socket, host: ConnectionHost) {
    const socket = readInPlace(accepted, host.buffer, (byteCount) => this.#read(byteCount));
    this.socket = socket;
    this.#host = host;
    // Node has no public name for it.
    this.descriptor = (socket as { readonly _handle?: { readonly fd?: number } | null })._handle?.fd ?? 0;
    this.#open = new OpenAnswer(host.answers, this.descriptor);
    this.#deadlineMs = host.nowMs + idleTimeoutMs;
    socket.on("drain", () => this.#exchange?.drained());
    socket.on("error", () => undefined);
    // As node:http has it: who sends no more is gone, and its guest is not to go on.
    socket.once("end", () => this.#exchange?.gone());
    socket.once("close", () => {
      this.#exchange?.gone();
      this.#open.close();
      this.#host.closed(this);
    });
  }

  get date(): string {
    return this.#host.date;
  }

  get staysOpen(): boolean {
    return !this.#isLast && !this.#host.isClosing;
  }

  /** Nothing of a request is here. */
  get isIdle(): boolean {
    return this.#exchange === undefined && this.#ahead === undefined && this.#body === undefined;
  }

  /** Ends it, with what has been written. Half of it at first: who is still sending when a connection is cut does not see what it was told before. */
  end(): void {
    if (this.#isLingering) return;
    this.#isLast = true;
    this.#isLingering = true;
    this.#ahead = undefined;
    this.#body = undefined;
    this.#deadlineMs = this.#host.nowMs + lingerMs;
    this.socket.end();
    if (this.socket.isPaused()) this.socket.resume();
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Ends what has lasted too long; called now and then. */
  look(nowMs: number): void {
    if (nowMs < this.#deadlineMs) return;
    const unsentBytes = this.socket.writableLength;
    // A slow reader is none that has gone.
    if (unsentBytes > 0 && unsentBytes < this.#unsentBytes) {
      this.#deadlineMs = nowMs + idleTimeoutMs;
      this.#unsentBytes = unsentBytes;
    } else if (this.#exchange === undefined && this.#ahead !== undefined && !this.#isLast) this.#refuse("TOO_SLOW");
    else this.destroy();
  }

  begin(): boolean {
    return this.#open.begin();
  }

  answered(isComplete: boolean): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    if (!isComplete) return this.destroy();
    this.#deadlineMs = this.#host.nowMs + idleTimeoutMs;
    this.#unsentBytes = Number.POSITIVE_INFINITY;
    if (exchange?.closes === true || !this.staysOpen) return this.end();
    if (this.socket.writableLength === 0) this.#open.idle();
    this.#readOn();
    // Not from the guest's own call, which this is in.
    if (this.#ahead !== undefined && this.#body === undefined) this.#readAheadSoon();
  }

  #read(byteCount: number): void {
    if (this.#isLingering) return;
    const { buffer } = this.#host;
    if (this.isIdle) return this.#readHead(buffer, byteCount);
    // It is kept, here or by the guest, and others are read into the buffer meanwhile.
    const chunk = Buffer.from(buffer.subarray(0, byteCount));
    if (this.#body !== undefined) return this.#readBody(this.#body, chunk);
    const ahead = this.#ahead === undefined ? chunk : Buffer.concat([this.#ahead, chunk]);
    this.#ahead = ahead;
    if (this.#exchange === undefined) this.#readAhead();
    else if (ahead.length >= aheadBytesMax) this.socket.pause();
  }

  #readAheadSoon(): void {
    setImmediate(() => this.#readAhead());
  }

  #readAhead(): void {
    const bytes = this.#ahead;
    if (bytes === undefined || this.#exchange !== undefined || this.socket.destroyed) return;
    this.#ahead = undefined;
    this.#readHead(bytes, bytes.length);
    this.#readOn();
  }

  /** When what was read has its place. */
  #readOn(): void {
    if (!this.socket.isPaused() || this.#exchange?.takesMore === false) return;
    if (this.#ahead === undefined || this.#ahead.length < aheadBytesMax) this.socket.resume();
  }

  /** The first `byteCount` of `bytes`, which are copied where they are kept: all that there is of a head, and perhaps what follows it. */
  #readHead(bytes: Buffer, byteCount: number): void {
    if (this.#isLast) return;
    const text = bytes.toString("latin1", 0, Math.min(byteCount, headBytesMax));
    // An empty line before a request is what some clients send after a body (RFC 9112, 2.2).
    const start = text.startsWith("\r\n") ? 2 : 0;
    const end = text.indexOf(headEnd, start);
    if (end === -1) return this.#waitForHead(this.#kept(bytes, 0, byteCount), text.slice(start));
    const length = end + headEnd.length;
    const head = parseRequestHead(text.slice(start, length));
    if (typeof head === "string") return this.#refuse(head);
    this.#begin(head, length === byteCount ? undefined : this.#kept(bytes, length, byteCount));
  }

  #waitForHead(bytes: Buffer, text: string): void {
    // A parser that takes LF alone for a line's end sees another request.
    if (/(?:^|[^\r])\n/.test(text)) return this.#refuse("MALFORMED");
    if (bytes.length >= headBytesMax) return this.#refuse(text.includes("\r\n") ? "HEAD_TOO_LARGE" : "TARGET_TOO_LONG");
    if (this.#ahead === undefined && this.#deadlineMs > this.#host.nowMs + headTimeoutMs)
      this.#deadlineMs = this.#host.nowMs + headTimeoutMs;
    this.#ahead = bytes;
  }

  /** What the connection keeps of `bytes`. */
  #kept(bytes: Buffer, from: number, to: number): Buffer {
    const part = bytes.subarray(from, to);
    return bytes === this.#host.buffer ? Buffer.from(part) : part;
  }

  #begin(head: ReceivedHead, rest: Buffer | undefined): void {
    const requestId = this.#host.requestId();
    if (!head.isPersistent) this.#isLast = true;
    this.#dropped = 0;
    this.#deadlineMs = Number.POSITIVE_INFINITY;
    const exchange = new HttpExchange(this, head, requestId);
    this.#exchange = exchange;
    if (this.socket.writableLength === 0) this.#open.wait(head.method === "HEAD");
    const { bodyBytes } = head;
    if (bodyBytes === 0) this.#ahead = rest;
    else {
      const data = (bytes: Buffer): void => this.#bodyRead(exchange, bytes);
      const end = (trailers: readonly string[]): void => exchange.receivedAll(trailers);
      this.#body = bodyOf(bodyBytes, { data, end }, fieldRules);
    }
    this.#host.request(head, exchange, requestId);
    if (bodyBytes === 0) return exchange.receivedAll([]);
    if (rest !== undefined && this.#body !== undefined) this.#readBody(this.#body, rest);
    else if (head.expectsContinue && exchange.isUnanswered)
      this.socket.write("HTTP/1.1 100 Continue\r\n\r\n", "latin1");
  }

  #readBody(body: BodyReader, bytes: Buffer): void {
    const length = body.push(bytes);
    if (typeof length === "string") return this.#refuse(length);
    if (!body.isOver) return;
    this.#body = undefined;
    if (length >= bytes.length) return;
    this.#ahead = bytes.subarray(length);
    if (this.#exchange === undefined) this.#readAheadSoon();
  }

  /** What comes after the answer is of no use, but for what follows it. */
  #bodyRead(exchange: HttpExchange, bytes: Buffer): void {
    if (!exchange.closed) return exchange.received(bytes);
    this.#dropped += bytes.length;
    if (this.#dropped > droppedBytesMax) this.end();
  }

  /** What follows on the connection cannot be understood: it ends, with the reason where one can be said. */
  #refuse(problem: RequestProblem): void {
    this.#isLast = true;
    this.#ahead = undefined;
    this.#body = undefined;
    const exchange = this.#exchange;
    if (exchange === undefined) {
      const requestId = this.#host.requestId();
      this.#exchange = new HttpExchange(this, unknownRequest, requestId);
      this.#exchange.answer(problemAnswer(problem, requestId));
    } else if (exchange.isUnanswered) exchange.refuse(problemAnswer(problem, this.#host.requestId()));
    else this.destroy();
  }
}
