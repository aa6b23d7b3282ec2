import type { Duplex } from "node:stream";

/** What follows the head of an answer; `anything`: a body, and trailers perhaps. */
export type AnswerRest = "nothing" | "body" | "anything";

/** The client's end of one request, whatever protocol it speaks. Its body is asked for once, its answer written once. */
export interface ClientEnd {
  readonly method: string;
  /** It looks for a fault in `grpc-status`. Absent: it does not. */
  readonly speaksGrpc?: boolean;
  /** All of the request has come. */
  readonly complete: boolean;
  readonly isPaused: boolean;
  /** Asks for the body, and gives it as it comes. Called once. */
  receive(handlers: ClientBodyHandlers): void;
  pause(): void;
  resume(): void;
  /** Sends an interim answer before the answer itself (RFC 8297: 103); flat. One that cannot be sent is left out. */
  inform(status: number, headers: readonly string[]): void;
  /**
   * Begins the answer. Headers are flat.
   * @throws what Node says of a head that it does not write
   */
  writeHead(status: number, headers: readonly string[], rest: AnswerRest): void;
  /** The head leaves though no body has come yet. */
  flushHead(): void;
  /** All of `chunk` is taken; false asks for a pause until `onceDrained`. */
  write(chunk: Buffer): boolean;
  onceDrained(listener: () => void): void;
  /** Trailers are flat, and left out where the answer's framing has no room for them. */
  end(rest: Buffer | string | undefined, trailers?: readonly string[]): void;
  /** Calls `listener` once the answer has left, or the client has gone. */
  onceClosed(listener: () => void): void;
  /** The answer is written: what the client still sends of the request is read and dropped, within bounds. */
  discardRest(): void;
  /** The connection is to take no further requests; the answer says so if it has not begun and can say it. */
  closeAfter(): void;
  /** Where the request ends is not clear: whatever its connection may still carry is no request. */
  framingInDoubt(): void;
  /** The answer cannot be completed, and the client is to see that. */
  cutShort(): void;
  /** Of a request to speak WebSocket: gives what it is on to who frames it from here on; undefined for any other. */
  detach?(): DetachedSocket | undefined;
}

export interface DetachedSocket {
  readonly socket: Duplex;
  /** What the client has sent already. */
  readonly head: Buffer;
}

export interface ClientBodyHandlers {
  readonly data: (chunk: Buffer) => void;
  /** Trailers are flat. */
  readonly end: (trailers: readonly string[]) => void;
}
