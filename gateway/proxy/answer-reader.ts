import {
  type BodyHandlers,
  type BodyReader,
  bodyOf,
  type FieldRules,
  type ParsedResponse,
  parseResponse,
} from "@shallop/sdk/http1";

/** Who takes the answers of a connection. */
export interface AnswerHandlers {
  /** An interim one: 1xx, but 101. */
  informed(head: ParsedResponse): void;
  /** The answer's head; all that comes after a 101 is its body, to the end of the connection. */
  answered(head: ParsedResponse): void;
  received(bytes: Buffer): void;
  /** It is complete. `trailers`: flat. */
  ended(trailers: readonly string[]): void;
}

// A guest's headers; the same as over the wire after JSON.
const headBytesMax = 64 * 1024;
// More than any answer needs; a pod that goes on informing without end answers nothing.
const interimMax = 32;
const fieldRules: FieldRules = {
  // What a name means is looked at by who passes the answer on.
  keeps: () => true,
  // Of 64 KiB; a guest that sets a cookie for everything has a hundred.
  countMax: 2000,
};

const headEnd = Buffer.from("\r\n\r\n", "latin1");
const noBytes = Buffer.alloc(0);
const noTrailers: readonly string[] = [];

/** Understands what a pod answers, one answer after the other (RFC 9112), in whatever pieces it comes. */
export class AnswerReader {
  readonly #handlers: AnswerHandlers;
  readonly #bodyHandlers: BodyHandlers;
  #state: "over" | "head" | "body" | "to-end" = "over";
  #method = "";
  #interims = 0;
  /** The beginning of a head. */
  #ahead: Buffer | undefined;
  #body: BodyReader | undefined;
  #trailers = noTrailers;
  #isPersistent = true;

  constructor(handlers: AnswerHandlers) {
    this.#handlers = handlers;
    // The end of a body is told when it is clear that nothing follows it.
    this.#bodyHandlers = {
      data: (bytes) => handlers.received(bytes),
      end: (trailers) => void (this.#trailers = trailers),
    };
  }

  /** The connection takes another request after the answer. */
  get isPersistent(): boolean {
    return this.#isPersistent;
  }

  /** A request leaves, by this method. The answer before is over. */
  expect(method: string): void {
    this.#state = "head";
    this.#method = method;
    this.#interims = 0;
  }

  /** @returns what is wrong with the bytes; undefined: nothing so far */
  push(chunk: Buffer): string | undefined {
    let bytes = chunk;
    while (bytes.length > 0 && this.#state === "head") {
      const rest = this.#readHead(bytes);
      if (typeof rest === "string") return rest;
      bytes = rest;
    }
    if (bytes.length === 0) return undefined;
    if (this.#state === "body") return this.#readBody(bytes);
    if (this.#state === "to-end") this.#handlers.received(bytes);
    return undefined;
  }

  /** The connection has ended. @returns whether the answer is complete with that */
  connectionEnded(): boolean {
    if (this.#state !== "to-end") return false;
    this.#finish(noTrailers);
    return true;
  }

  /** @returns what follows the head, or what is wrong with it */
  #readHead(bytes: Buffer): Buffer | string {
    const all = this.#ahead === undefined ? bytes : Buffer.concat([this.#ahead, bytes]);
    // The end may have begun in what was there before.
    const end = all.indexOf(headEnd, Math.max(0, all.length - bytes.length - headEnd.length));
    const length = end + headEnd.length;
    if (end === -1 ? all.length >= headBytesMax : length > headBytesMax)
      return `a head of more than ${headBytesMax} bytes`;
    if (end === -1) {
      if (!couldBegin(all)) return "what is no answer of HTTP/1.1";
      this.#ahead = all;
      return noBytes;
    }
    this.#ahead = undefined;
    const head = parseResponse(all.toString("latin1", 0, length), this.#method, fieldRules);
    if (typeof head === "string") return `a head that is ${head}`;
    return this.#begin(head, length === all.length ? noBytes : all.subarray(length));
  }

  #begin(head: ParsedResponse, rest: Buffer): Buffer | string {
    if (head.status < 200 && head.status !== 101) {
      if (++this.#interims > interimMax) return `more than ${interimMax} interim answers`;
      this.#handlers.informed(head);
      return rest;
    }
    const { bodyBytes } = head;
    this.#isPersistent = head.isPersistent;
    if (head.status === 101 || bodyBytes === "to-end") this.#state = "to-end";
    else if (bodyBytes !== 0) {
      this.#state = "body";
      this.#body = bodyOf(bodyBytes, this.#bodyHandlers, fieldRules);
    }
    this.#handlers.answered(head);
    if (this.#state !== "head") return rest;
    // Nobody has asked for what follows.
    if (rest.length > 0) this.#isPersistent = false;
    this.#finish(noTrailers);
    return noBytes;
  }

  #readBody(bytes: Buffer): string | undefined {
    const body = this.#body;
    const count = body?.push(bytes);
    if (typeof count === "string") return "a body that is not in chunks as it says";
    if (body?.isOver !== true) return undefined;
    this.#body = undefined;
    if (count !== bytes.length) this.#isPersistent = false;
    const trailers = this.#trailers;
    this.#trailers = noTrailers;
    this.#finish(trailers);
    return undefined;
  }

  #finish(trailers: readonly string[]): void {
    this.#state = "over";
    this.#handlers.ended(trailers);
  }
}

const beginning = "HTTP/1.";

/** Who speaks another protocol is not waited for. */
const couldBegin = (bytes: Buffer): boolean => beginning.startsWith(bytes.toString("latin1", 0, beginning.length));
