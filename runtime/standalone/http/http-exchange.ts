import type { Socket } from "node:net";
import { type ResponseHead, type StreamHandlers, WireFault, type WireFaultCode } from "@shallop/sdk/wire";
import { latin1 } from "../../component/wasi/header-rules.ts";
import type { GuestStream } from "../../host/wire-response.ts";
import { answerHeadText, trailerText } from "./answer-head.ts";
import { type Answer, faultAnswer } from "./fault-answer.ts";
import type { ReceivedHead } from "./request-head.ts";

// Of a request's body, what may wait for the guest before the client has to; as a stream of the wire.
const unreadBytesMax = 64 * 1024;

// An answer of this size leaves as one write when it is complete at once; above it copying costs more than a write.
const heldBytesMax = 16 * 1024;
const noBytes = new Uint8Array();

/** The connection that an exchange is on. */
export interface ExchangeConnection {
  readonly socket: Socket;
  /** An HTTP date. */
  readonly date: string;
  /** It takes another request after this one. */
  readonly staysOpen: boolean;
  /** The descriptor of its socket; 0 where there is none. */
  readonly descriptor: number;
  /** The first bytes of an answer are to leave. False when another thread has answered, and nothing more may. */
  begin(): boolean;
  /** The answer is complete, or will never be: then the client sees that it is cut off. */
  answered(isComplete: boolean): void;
}

/** The beginning of an answer that has not left yet. */
interface HeldAnswer {
  readonly head: ResponseHead;
  readonly chunks: Uint8Array[];
  bytes: number;
}

/** One request of a connection and its answer, as what carries a request to a guest. */
export class HttpExchange implements GuestStream {
  readonly #connection: ExchangeConnection;
  readonly #request: ReceivedHead;
  readonly #requestId: string;
  #unread = 0;
  #closed = false;
  /** The guest's first turn is not over: what it says of its answer waits for that. */
  #isCorked = true;
  #held: HeldAnswer | undefined;
  /** Something has left. */
  #hasBegun = false;
  #isChunked = false;
  #closes = false;
  #handlers: StreamHandlers | undefined;

  constructor(connection: ExchangeConnection, request: ReceivedHead, requestId: string) {
    this.#connection = connection;
    this.#request = request;
    this.#requestId = requestId;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Of the request's body, beside what waits for the guest. */
  get takesMore(): boolean {
    return this.#closed || this.#unread < unreadBytesMax;
  }

  /** Nothing of the answer has left. */
  get isUnanswered(): boolean {
    return !this.#hasBegun && !this.#closed;
  }

  /** Of its connection. */
  get descriptor(): number {
    return this.#connection.descriptor;
  }

  /** The answer has said that the connection ends with it. */
  get closes(): boolean {
    return this.#closes;
  }

  /** Hands on the request's body, and tells of a client that leaves. Once. */
  handle(handlers: StreamHandlers): void {
    this.#handlers = handlers;
  }

  /** For the connection: bytes of the request's body. */
  received(bytes: Buffer): void {
    if (this.#closed) return;
    this.#unread += bytes.length;
    if (this.#unread >= unreadBytesMax) this.#connection.socket.pause();
    this.#handlers?.data(bytes);
  }

  /** For the connection: the request is complete. */
  receivedAll(trailers: readonly string[]): void {
    if (!this.#closed) this.#handlers?.end(trailers);
  }

  /** For the connection: the client takes more. */
  drained(): void {
    if (!this.#closed) this.#handlers?.writable?.();
  }

  /** For the connection: there is nobody any more to answer to. */
  gone(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#held = undefined;
    this.#handlers?.failed(new WireFault("CANCELLED", "the client is gone"));
  }

  /** An answer that is complete within a turn leaves as one write: its head waits. */
  respond(head: ResponseHead): void {
    if (this.#closed) return;
    this.#held = { head, chunks: [], bytes: 0 };
    if (!this.#isCorked) process.nextTick(() => this.#release());
  }

  /** The guest waits for something, or is done: what there is of its answer leaves. */
  uncork(): void {
    this.#isCorked = false;
    this.#release();
  }

  write(chunk: Uint8Array): boolean {
    if (this.#closed || chunk.length === 0) return true;
    const held = this.#held;
    if (held !== undefined && held.bytes + chunk.length <= heldBytesMax) {
      held.chunks.push(chunk);
      held.bytes += chunk.length;
      return true;
    }
    this.#release();
    return this.#send(chunk);
  }

  end(trailers: readonly string[] = []): void {
    if (this.#closed) return;
    // Only a body in chunks has a place for them, and not every client looks there.
    if (trailers.length > 0) this.#release();
    const held = this.#held;
    // What cannot be sent has been answered in another way.
    if (held !== undefined ? !this.#sendWhole(held) : this.#closed) return;
    if (this.#isChunked) this.#connection.socket.write(`0\r\n${trailerText(trailers)}\r\n`, "latin1");
    this.#finish(true);
  }

  abort(code: WireFaultCode): void {
    if (this.#closed) return;
    this.#held = undefined;
    // What has begun cannot become another answer: the client sees that it is cut off.
    if (this.#hasBegun) return this.#finish(false);
    this.answer(faultAnswer(code, this.#requestId));
  }

  /** What follows on the connection is no request: that is the answer, and the guest's is not wanted any more. */
  refuse(answer: Answer): void {
    const handlers = this.#handlers;
    this.#held = undefined;
    this.answer(answer);
    handlers?.failed(new WireFault("CANCELLED", "the client broke off its request"));
  }

  /** Answers instead of a guest. */
  answer({ status, headers, body }: Answer): void {
    const text = this.#headText({ status, headers }, this.#mayHaveBody(status) ? body.length : undefined);
    if (!this.#begin()) return;
    this.#connection.socket.write((text ?? "") + (this.#mayHaveBody(status) ? body : ""), "latin1");
    this.#finish(true);
  }

  consumed(byteCount: number): void {
    this.#unread -= byteCount;
    const { socket } = this.#connection;
    if (!this.#closed && this.#unread < unreadBytesMax && socket.isPaused()) socket.resume();
  }

  /** False when there is nothing to be answered any more. */
  #begin(): boolean {
    this.#hasBegun = true;
    const isOurs = this.#connection.begin();
    if (!isOurs) this.#finish(false);
    return isOurs;
  }

  /** What was held leaves, and the rest follows as it comes. */
  #release(): void {
    const held = this.#held;
    if (held === undefined || this.#closed) return;
    this.#held = undefined;
    const { head, chunks } = held;
    const hasLength = head.headers.includes("content-length");
    const isChunked = !hasLength && this.#mayHaveBody(head.status) && !this.#request.isOld;
    const text = this.#headText(head, isChunked ? "chunked" : undefined);
    if (text === undefined) return this.abort("GUEST_FAILED");
    if (!this.#begin()) return;
    this.#isChunked = isChunked;
    this.#connection.socket.write(text, "latin1");
    for (const chunk of chunks) this.#send(chunk);
  }

  /** False when its head cannot be sent; then something else was. */
  #sendWhole({ head, chunks, bytes }: HeldAnswer): boolean {
    this.#held = undefined;
    // A body that HEAD or the status suppresses has a length that nobody knows here.
    const text = this.#headText(head, this.#mayHaveBody(head.status) ? bytes : undefined);
    if (text === undefined) {
      this.abort("GUEST_FAILED");
      return false;
    }
    if (!this.#begin()) return false;
    const [first = noBytes] = chunks;
    this.#connection.socket.write(text + latin1(chunks.length > 1 ? Buffer.concat(chunks) : first), "latin1");
    return true;
  }

  /** @returns false when the client should take what there is first */
  #send(chunk: Uint8Array): boolean {
    const { socket } = this.#connection;
    if (!this.#isChunked) return socket.write(chunk);
    const size = `${chunk.length.toString(16)}\r\n`;
    if (chunk.length <= heldBytesMax) return socket.write(`${size}${latin1(chunk)}\r\n`, "latin1");
    socket.cork();
    socket.write(size, "latin1");
    socket.write(chunk);
    const takesMore = socket.write("\r\n", "latin1");
    socket.uncork();
    return takesMore;
  }

  #headText({ status, headers }: ResponseHead, bodyBytes: number | "chunked" | undefined): string | undefined {
    const { isOld } = this.#request;
    const { date, staysOpen } = this.#connection;
    // A body of unknown length ends with the connection where chunks are not known.
    const endsUnsaid =
      isOld && bodyBytes === undefined && this.#mayHaveBody(status) && !headers.includes("content-length");
    if (!staysOpen || endsUnsaid) this.#closes = true;
    const connection = this.#closes ? "close" : isOld ? "keep-alive" : undefined;
    return answerHeadText({ status, headers, requestId: this.#requestId, date, connection, bodyBytes });
  }

  /** RFC 9112, 6.3. */
  #mayHaveBody(status: number): boolean {
    return this.#request.method !== "HEAD" && status !== 204 && status !== 304;
  }

  #finish(isComplete: boolean): void {
    this.#closed = true;
    this.#connection.answered(isComplete);
  }
}
