import { constants, type IncomingHttpHeaders, type OutgoingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { AnswerRest, ClientBodyHandlers, ClientEnd } from "../proxy/client-end.ts";
import { byName } from "../proxy/trailers.ts";

export interface Http2ClientSettings {
  readonly method: string;
  /** Of the request, flat. */
  readonly headers: readonly string[];
  /** The client waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean;
  /** Its connection is to take no further requests. */
  readonly retire: () => void;
  /** All of the answer has been written, and not all of it has left. */
  readonly unread: (stream: ServerHttp2Stream) => void;
  /** Its client goes on with a request that has been answered: once the answer has left, it is reset without an error. */
  readonly unwanted: (stream: ServerHttp2Stream) => void;
}

/** The client's end of a request of HTTP/2: one stream of its connection. */
export class Http2Client implements ClientEnd {
  readonly method: string;
  readonly #stream: ServerHttp2Stream;
  readonly #expectsContinue: boolean;
  readonly #retire: () => void;
  readonly #unread: (stream: ServerHttp2Stream) => void;
  readonly #unwanted: (stream: ServerHttp2Stream) => void;
  readonly #headers: readonly string[];
  #trailers: OutgoingHttpHeaders = {};
  #received: readonly string[] = [];

  constructor(stream: ServerHttp2Stream, settings: Http2ClientSettings) {
    this.#stream = stream;
    this.#retire = settings.retire;
    this.#unread = settings.unread;
    this.#unwanted = settings.unwanted;
    this.#headers = settings.headers;
    this.method = settings.method;
    this.#expectsContinue = settings.expectsContinue;
    // A stream that is reset says so by its close, too.
    stream.on("error", () => undefined);
    if (stream.endAfterHeaders) return;
    // They may have come before the body is asked for.
    stream.once("trailers", (_trailers: IncomingHttpHeaders, _flags: number, raw?: readonly string[]) => {
      this.#received = raw ?? [];
    });
  }

  get speaksGrpc(): boolean {
    const at = this.#headers.findIndex((text, index) => index % 2 === 0 && text === "content-type");
    return at !== -1 && this.#headers[at + 1]?.startsWith("application/grpc") === true;
  }

  get complete(): boolean {
    return this.#stream.endAfterHeaders || this.#stream.readableEnded;
  }

  get isPaused(): boolean {
    return this.#stream.isPaused();
  }

  receive({ data, end }: ClientBodyHandlers): void {
    const stream = this.#stream;
    if (this.#expectsContinue && !stream.headersSent) stream.additionalHeaders({ ":status": 100 });
    stream.on("data", data);
    stream.once("end", () => end(this.#received));
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  inform(status: number, headers: readonly string[]): void {
    if (this.#stream.headersSent || this.#stream.destroyed) return;
    this.#stream.additionalHeaders({ ...byName(headers), ":status": status });
  }

  writeHead(status: number, headers: readonly string[], rest: AnswerRest): void {
    const waitForTrailers = rest === "anything";
    this.#stream.respond([":status", String(status), ...headers], { endStream: rest === "nothing", waitForTrailers });
    if (waitForTrailers) this.#stream.once("wantTrailers", () => this.#stream.sendTrailers(this.#trailers));
  }

  flushHead(): void {
    // Node sends it at the end of this turn of the event loop.
  }

  write(chunk: Buffer): boolean {
    return this.#stream.write(chunk);
  }

  onceDrained(listener: () => void): void {
    this.#stream.once("drain", listener);
  }

  end(rest: Buffer | string | undefined, trailers: readonly string[] = []): void {
    this.#trailers = byName(trailers);
    if (rest === undefined) this.#stream.end();
    else this.#stream.end(rest);
    if (!this.#stream.destroyed) this.#unread(this.#stream);
  }

  onceClosed(listener: () => void): void {
    this.#stream.once("close", listener);
  }

  closeAfter(): void {
    this.#retire();
  }

  /** Frames are never in doubt. */
  framingInDoubt(): void {}

  /** RFC 9113, 8.1: a complete answer, then a reset without an error. */
  discardRest(): void {
    const stream = this.#stream;
    if (this.complete || stream.destroyed) return;
    stream.removeAllListeners("data");
    stream.resume();
    if (stream.writableFinished) this.#unwanted(stream);
    else stream.once("finish", () => this.#unwanted(stream));
  }

  cutShort(): void {
    this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }
}
