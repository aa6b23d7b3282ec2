import { unreachable } from "../internal/assert.ts";
import { type FieldRules, type MessageProblem, parseTrailers } from "./fields.ts";

/** A head with everything in it, as node:http has it; and so much of trailers. */
export const headBytesMax = 16 * 1024;

/** Takes the bytes that follow a head for as long as they are of the message's body. */
export interface BodyReader {
  /**
   * Hands on what of `bytes` is body.
   * @returns how many bytes belong to the message, all of them unless the body ends within; or why it is none
   */
  push(bytes: Buffer): number | MessageProblem;
  /** Its end has been there. */
  readonly isOver: boolean;
}

export interface BodyHandlers {
  data(bytes: Buffer): void;
  /** `trailers`: flat. */
  end(trailers: readonly string[]): void;
}

/** `bodyBytes`: more than none. `trailers`: which of them are handed on. */
export const bodyOf = (bodyBytes: number | "chunked", handlers: BodyHandlers, trailers: FieldRules): BodyReader =>
  bodyBytes === "chunked" ? new ChunkedBody(handlers, trailers) : new SizedBody(bodyBytes, handlers);

class SizedBody implements BodyReader {
  readonly #handlers: BodyHandlers;
  #left: number;

  constructor(byteLength: number, handlers: BodyHandlers) {
    this.#left = byteLength;
    this.#handlers = handlers;
  }

  get isOver(): boolean {
    return this.#left === 0;
  }

  push(bytes: Buffer): number {
    const count = Math.min(this.#left, bytes.length);
    this.#left -= count;
    if (count > 0) this.#handlers.data(count === bytes.length ? bytes : bytes.subarray(0, count));
    if (this.#left === 0) this.#handlers.end([]);
    return count;
  }
}

// A size and its extensions; more than anybody writes there.
const lineCharsMax = 1024;
// Of lines between the data that hold more than a size, in a whole body: extensions are read and mean nothing.
const extensionCharsMax = 16 * 1024;
const newline = 0x0a;
// Extensions may hold what a field's value may; CR and LF alone, and a size of more than 32 bits, may not be (RFC 9112, 7.1).
const sizeLine = /^([0-9A-Fa-f]{1,8})((?:[\t ]*;[\t\x20-\x7e\x80-\xff]*)?)\r\n$/;

/** RFC 9112, 7.1. */
class ChunkedBody implements BodyReader {
  readonly #handlers: BodyHandlers;
  readonly #trailerRules: FieldRules;
  #state: "size" | "data" | "data-end" | "trailers" | "over" = "size";
  /** The line that is being read, as far as it is there. */
  #line = "";
  #trailers = "";
  #left = 0;
  #extensionChars = 0;

  constructor(handlers: BodyHandlers, trailers: FieldRules) {
    this.#handlers = handlers;
    this.#trailerRules = trailers;
  }

  get isOver(): boolean {
    return this.#state === "over";
  }

  push(bytes: Buffer): number | MessageProblem {
    let at = 0;
    while (at < bytes.length && this.#state !== "over") {
      if (this.#state === "data") {
        at += this.#data(bytes, at);
        continue;
      }
      const end = bytes.indexOf(newline, at);
      const lineEnd = end === -1 ? bytes.length : end + 1;
      const charsMax = this.#state === "trailers" ? headBytesMax - this.#trailers.length : lineCharsMax;
      if (this.#line.length + lineEnd - at > charsMax) return "MALFORMED";
      this.#line += bytes.toString("latin1", at, lineEnd);
      at = lineEnd;
      if (end === -1) break;
      const problem = this.#lineRead(this.#line);
      if (problem !== undefined) return problem;
      this.#line = "";
    }
    return at;
  }

  #data(bytes: Buffer, from: number): number {
    const count = Math.min(this.#left, bytes.length - from);
    this.#left -= count;
    if (this.#left === 0) this.#state = "data-end";
    this.#handlers.data(bytes.subarray(from, from + count));
    return count;
  }

  #lineRead(line: string): MessageProblem | undefined {
    if (!line.endsWith("\r\n")) return "MALFORMED";
    switch (this.#state) {
      case "size":
        return this.#sized(line);
      case "data-end":
        this.#state = "size";
        return line === "\r\n" ? undefined : "MALFORMED";
      case "trailers":
        return this.#trailed(line);
      case "data":
      case "over":
        throw new TypeError("no line is read there");
      default:
        return unreachable(this.#state);
    }
  }

  #sized(line: string): MessageProblem | undefined {
    const [, size, extension = ""] = sizeLine.exec(line) ?? [];
    if (size === undefined) return "MALFORMED";
    this.#extensionChars += extension.length;
    if (this.#extensionChars > extensionCharsMax) return "MALFORMED";
    this.#left = Number.parseInt(size, 16);
    this.#state = this.#left === 0 ? "trailers" : "data";
    return undefined;
  }

  #trailed(line: string): MessageProblem | undefined {
    if (line !== "\r\n") {
      this.#trailers += line;
      return undefined;
    }
    const trailers = parseTrailers(this.#trailers, this.#trailerRules);
    if (typeof trailers === "string") return trailers;
    this.#state = "over";
    this.#handlers.end(trailers);
    return undefined;
  }
}
