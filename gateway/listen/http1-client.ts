import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "@shallop/sdk/internal";
import type { ClientBodyHandlers, ClientEnd } from "../proxy/client-end.ts";
import { byName, pairs } from "../proxy/trailers.ts";
import type { ClientConnection } from "./connections.ts";

// What a client may still send of a request that has been answered before its end. Closing at once would make the
// kernel reset the connection, and the client could lose the answer (RFC 9112, 9.6).
const lingerMs = 2_000;
const lingerBytesMax = 1024 * 1024;

export interface Http1Request {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly connection: ClientConnection;
  /** The client waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean;
}

/** The client's end of a request of HTTP/1. */
export class Http1Client implements ClientEnd {
  readonly #incoming: IncomingMessage;
  readonly #outgoing: ServerResponse;
  readonly #clock: Clock;
  readonly #connection: ClientConnection;
  readonly #expectsContinue: boolean;

  constructor({ incoming, outgoing, connection, expectsContinue }: Http1Request, clock: Clock) {
    this.#incoming = incoming;
    this.#outgoing = outgoing;
    this.#clock = clock;
    this.#connection = connection;
    this.#expectsContinue = expectsContinue;
  }

  get method(): string {
    return this.#incoming.method ?? "GET";
  }

  get complete(): boolean {
    return this.#incoming.complete;
  }

  get isPaused(): boolean {
    return this.#incoming.isPaused();
  }

  receive({ data, end }: ClientBodyHandlers): void {
    if (this.#expectsContinue) this.#outgoing.writeContinue();
    this.#incoming.on("data", data);
    this.#incoming.once("end", () => end(this.#incoming.rawTrailers));
  }

  pause(): void {
    this.#incoming.pause();
  }

  resume(): void {
    this.#incoming.resume();
  }

  inform(status: number, headers: readonly string[]): void {
    // RFC 9110, 15.2: HTTP/1.0 has no interim answers.
    if (status !== 103 || this.#outgoing.headersSent || this.#incoming.httpVersion !== "1.1") return;
    try {
      this.#outgoing.writeEarlyHints(byName(headers) as Record<string, string | string[]>);
    } catch {
      // Node takes well-formed links only; a hint may be left out.
    }
  }

  writeHead(status: number, headers: readonly string[]): void {
    this.#outgoing.writeHead(status, headers as string[]);
  }

  flushHead(): void {
    this.#outgoing.flushHeaders();
  }

  write(chunk: Buffer): boolean {
    return this.#outgoing.write(chunk);
  }

  onceDrained(listener: () => void): void {
    this.#outgoing.once("drain", listener);
  }

  end(rest: Buffer | string | undefined, trailers: readonly string[] = []): void {
    // RFC 9112, 7.1.2: only a chunked body has trailers. Node drops them elsewhere.
    if (trailers.length > 0) this.#outgoing.addTrailers(pairs(trailers));
    if (rest === undefined) this.#outgoing.end();
    else this.#outgoing.end(rest);
  }

  onceClosed(listener: () => void): void {
    this.#outgoing.once("close", listener);
  }

  closeAfter(): void {
    // A head that has left without saying so lets the client ask once more, and that answer says it.
    if (!this.#outgoing.headersSent) this.framingInDoubt();
  }

  framingInDoubt(): void {
    this.#outgoing.shouldKeepAlive = false;
    this.#connection.isClosing = true;
  }

  /** If the rest is not soon over, the connection is closed, once the client has had the time to read the answer. */
  discardRest(): void {
    const incoming = this.#incoming;
    if (incoming.complete || incoming.destroyed) return;
    incoming.removeAllListeners("data");
    if (this.#outgoing.writableFinished) this.#linger();
    else this.#outgoing.once("finish", () => this.#linger());
    incoming.resume();
  }

  /** What was sent reaches the client, and then the end of the connection tells it that the answer is not whole. */
  cutShort(): void {
    const { socket } = this.#outgoing;
    if (socket === null) return void this.#outgoing.destroy();
    // What was written in this turn waits for its end.
    this.#outgoing.uncork();
    socket.destroySoon();
  }

  #linger(): void {
    const incoming = this.#incoming;
    const { socket } = incoming;
    let bytes = 0;
    const timer = this.#clock.after(lingerMs, () => socket.destroy());
    incoming.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= lingerBytesMax) return;
      incoming.pause();
      socket.end();
    });
    incoming.once("close", () => timer.cancel());
    incoming.once("end", () => timer.cancel());
  }
}
