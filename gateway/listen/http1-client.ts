import { fieldLine, fieldLines, isField, type ParsedRequest, statusLine } from "@shallop/sdk/http1";
import type { ClientBodyHandlers, ClientEnd } from "../proxy/client-end.ts";

/** What a request needs of the connection that it came on. */
export interface Http1Line {
  /** `Date`, with its line's end. */
  readonly dateLine: string;
  /** No request follows on it. */
  readonly isClosing: boolean;
  /** What keeps it open for the next request says, with its line's end. */
  readonly keepLines: string;
  /** Whatever it carries after this request is no request. */
  closeAfter(): void;
  /** False asks for a pause until it is drained. */
  write(data: Buffer | string): boolean;
  /** All of the answer has been written with this. */
  writeLast(text: string): void;
  /** Writes what leaves as one. */
  writeAll(parts: readonly (Buffer | string)[]): boolean;
  /** Gives the body as it comes, and what is there of it at once. */
  wantBody(): void;
  /** Drops what comes of the body, within bounds. */
  dropBody(): void;
  readonly isPaused: boolean;
  pause(): void;
  resume(): void;
  /** Ends with what has been written. */
  cut(): void;
}

// Up to this, what is written at once leaves as one text; above it copying costs more than another write.
const copiedBytesMax = 16 * 1024;

/** The client's end of a request of HTTP/1. */
export class Http1Client implements ClientEnd {
  readonly method: string;
  readonly #line: Http1Line;
  readonly #isOld: boolean;
  /** The client waits for `100 Continue` before it sends the body. */
  readonly #expectsContinue: boolean;
  #isComplete: boolean;
  #handlers: ClientBodyHandlers | undefined;
  /** The answer's head until it leaves, without what says how long the body is. */
  #head: string | undefined;
  #hasBegun = false;
  /** The head says how long the body is, or there is none. */
  #isFramed = false;
  #hasBody = true;
  #isChunked = false;
  #isEnded = false;
  #isClosed = false;
  #drained: (() => void)[] = [];
  #closed: (() => void)[] = [];

  constructor(line: Http1Line, { method, isOld, bodyBytes }: ParsedRequest, expectsContinue: boolean) {
    this.method = method;
    this.#line = line;
    this.#isOld = isOld;
    this.#isComplete = bodyBytes === 0;
    this.#expectsContinue = expectsContinue;
  }

  get complete(): boolean {
    return this.#isComplete;
  }

  get isPaused(): boolean {
    return this.#line.isPaused;
  }

  /** All of the answer has been written. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  receive(handlers: ClientBodyHandlers): void {
    this.#handlers = handlers;
    if (this.#isComplete) return handlers.end([]);
    if (this.#expectsContinue && !this.#hasBegun) this.#line.write("HTTP/1.1 100 Continue\r\n\r\n");
    this.#line.wantBody();
  }

  /** For the connection: some of the body. */
  received(bytes: Buffer): void {
    this.#handlers?.data(bytes);
  }

  /** For the connection: the request is complete. */
  receivedAll(trailers: readonly string[]): void {
    this.#isComplete = true;
    this.#handlers?.end(trailers);
  }

  pause(): void {
    if (!this.#isComplete) this.#line.pause();
  }

  resume(): void {
    this.#line.resume();
  }

  inform(status: number, headers: readonly string[]): void {
    // RFC 9110, 15.2: HTTP/1.0 has no interim answers.
    if (status !== 103 || this.#head !== undefined || this.#hasBegun || this.#isOld || this.#isClosed) return;
    this.#line.write(`${statusLine(status)}${fieldLines(headers)}\r\n`);
  }

  writeHead(status: number, headers: readonly string[]): void {
    this.#hasBody = this.method !== "HEAD" && status !== 204 && status !== 304;
    this.#isFramed = !this.#hasBody;
    let text = statusLine(status);
    let hasDate = false;
    for (let index = 0; index + 1 < headers.length; index += 2) {
      const name = headers[index] ?? "";
      const value = headers[index + 1] ?? "";
      if (!isField(name, value)) throw new TypeError(`a header that cannot be sent: ${JSON.stringify(name)}`);
      if (isNamed(name, "content-length")) this.#isFramed = true;
      else if (isNamed(name, "date")) hasDate = true;
      text += fieldLine(name, value);
    }
    this.#head = hasDate ? text : text + this.#line.dateLine;
  }

  flushHead(): void {
    const head = this.#takeHead(undefined);
    if (head !== "") this.#line.write(head);
  }

  write(chunk: Buffer): boolean {
    const head = this.#takeHead(undefined);
    if (!this.#hasBody || chunk.length === 0) return head === "" || this.#line.write(head);
    if (!this.#isChunked && head === "") return this.#line.write(chunk);
    const before = this.#isChunked ? `${head}${chunk.length.toString(16)}\r\n` : head;
    const after = this.#isChunked ? "\r\n" : "";
    return chunk.length <= copiedBytesMax
      ? this.#line.write(before + chunk.toString("latin1") + after)
      : this.#line.writeAll([before, chunk, after]);
  }

  onceDrained(listener: () => void): void {
    this.#drained.push(listener);
  }

  /** For the connection: the client takes more. */
  drained(): void {
    if (this.#drained.length > 0) for (const listener of this.#drained.splice(0)) listener();
  }

  end(rest: Buffer | string | undefined, trailers: readonly string[] = []): void {
    if (this.#isEnded || this.#isClosed) return;
    this.#isEnded = true;
    const bytes = typeof rest === "string" ? Buffer.from(rest) : (rest ?? noBytes);
    // A length leaves no room for trailers (RFC 9112, 7.1.2).
    const head = this.#takeHead(trailers.length > 0 ? undefined : bytes.length);
    const body = this.#hasBody ? bytes : noBytes;
    const before = this.#isChunked && body.length > 0 ? `${head}${body.length.toString(16)}\r\n` : head;
    const end = this.#isChunked ? `0\r\n${fieldLines(trailers)}\r\n` : "";
    const after = this.#isChunked && body.length > 0 ? `\r\n${end}` : end;
    if (body.length <= copiedBytesMax) return this.#line.writeLast(before + body.toString("latin1") + after);
    this.#line.writeAll([before, body]);
    this.#line.writeLast(after);
  }

  onceClosed(listener: () => void): void {
    this.#closed.push(listener);
  }

  /** For the connection: the answer has left, or there is nobody any more to answer to. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#handlers = undefined;
    for (const listener of this.#closed) listener();
  }

  closeAfter(): void {
    // A head that has left without saying so lets the client ask once more, and that answer says it.
    if (!this.#hasBegun) this.framingInDoubt();
  }

  framingInDoubt(): void {
    this.#line.closeAfter();
  }

  discardRest(): void {
    if (!this.#isComplete) this.#line.dropBody();
  }

  /** What was sent reaches the client, and then the end of the connection tells it that the answer is not whole. */
  cutShort(): void {
    this.flushHead();
    this.#line.cut();
  }

  /** @returns the head, or nothing when it has left; `bodyBytes`: undefined when nobody knows yet */
  #takeHead(bodyBytes: number | undefined): string {
    const head = this.#head;
    if (head === undefined) return "";
    this.#head = undefined;
    this.#hasBegun = true;
    const framing = this.#isFramed ? "" : this.#framing(bodyBytes);
    return `${head}${framing}${this.#line.isClosing ? "connection: close\r\n" : this.#line.keepLines}\r\n`;
  }

  #framing(bodyBytes: number | undefined): string {
    if (bodyBytes !== undefined) return `content-length: ${bodyBytes}\r\n`;
    this.#isChunked = !this.#isOld;
    // The end of the connection is the body's where chunks are not known.
    if (this.#isOld) this.#line.closeAfter();
    return this.#isChunked ? "transfer-encoding: chunked\r\n" : "";
  }
}

const noBytes = Buffer.alloc(0);

/** Header names come in lower case, unless a rule of somebody's writes them otherwise. */
const isNamed = (name: string, lower: string): boolean =>
  name === lower || (name.length === lower.length && name.toLowerCase() === lower);
