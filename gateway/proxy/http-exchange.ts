import { fieldLines, type ParsedResponse } from "@shallop/sdk/http1";
import { streamWindowBytes } from "@shallop/sdk/wire";
import { GatewayFault } from "./fault-status.ts";
import { withoutNamed } from "./request-head.ts";
import type { PodConnection, PodExchange } from "./pod-connection.ts";
import type { UpstreamHandlers, UpstreamRequest, UpstreamStream } from "./upstream.ts";

// Up to this, what is written at once leaves as one text; above it copying costs more than another write.
const copiedBytesMax = 16 * 1024;

/** A request to a native pod, and its answer. */
export class HttpExchange implements PodExchange, UpstreamStream {
  readonly method: string;
  protected readonly handlers: UpstreamHandlers;
  protected connection: PodConnection | undefined;
  /** The request's, until it leaves: with the first of the body, if that is there. */
  #head: string | undefined;
  readonly #isChunked: boolean;
  #isSent: boolean;
  #isOver = false;
  /** Body bytes that the receiver has and has not used yet. */
  #owed = 0;

  constructor(request: UpstreamRequest, head: string, handlers: UpstreamHandlers) {
    this.method = request.head.method;
    this.handlers = handlers;
    this.#head = head;
    this.#isSent = !request.hasBody;
    this.#isChunked = request.hasBody && request.contentLength === undefined;
  }

  get isSent(): boolean {
    return this.#isSent;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  begin(connection: PodConnection): void {
    this.connection = connection;
    if (!this.#isSent) this.handlers.opened(this);
    this.sendHead();
    if (this.#isSent && !this.#isOver) this.handlers.opened(this);
  }

  protected sendHead(): void {
    const head = this.#head;
    this.#head = undefined;
    if (head !== undefined) this.connection?.write(head);
  }

  write(chunk: Buffer): boolean {
    const { connection } = this;
    if (connection === undefined || this.#isSent || chunk.length === 0) return true;
    const size = this.#isChunked ? `${chunk.length.toString(16)}\r\n` : "";
    const before = (this.#head ?? "") + size;
    this.#head = undefined;
    const after = this.#isChunked ? "\r\n" : "";
    if (before === "") return connection.write(chunk);
    if (chunk.length <= copiedBytesMax) return connection.write(before + chunk.toString("latin1") + after);
    connection.cork();
    connection.write(before);
    const takesMore = connection.write(chunk);
    if (after !== "") connection.write(after);
    connection.uncork();
    return takesMore;
  }

  end(trailers: readonly string[] = []): void {
    // Without a body it has ended already.
    if (this.#isSent) return;
    this.#isSent = true;
    if (this.#isChunked) this.connection?.write(`${this.#head ?? ""}0\r\n${fieldLines(trailers)}\r\n`);
    else this.sendHead();
    this.#head = undefined;
  }

  consumed(byteCount: number): void {
    this.#owed -= byteCount;
    if (this.#owed <= streamWindowBytes / 2) this.connection?.resume();
  }

  cancel(): void {
    this.#isOver = true;
    this.connection?.destroy();
    this.connection = undefined;
  }

  drained(): void {
    if (!this.#isSent) this.handlers.writable();
  }

  informed({ status, headers }: ParsedResponse): void {
    if (status === 103) this.handlers.informed(status, headers);
  }

  answered(head: ParsedResponse): void {
    // A connection that the pod takes for something else is nobody's any more.
    if (head.status === 101) this.abandon("the pod switched protocols without being asked");
    else this.pass(head);
  }

  protected abandon(why: string): void {
    this.connection?.destroy();
    this.failed(new GatewayFault("ANSWER_INVALID", why));
  }

  protected pass({ status, headers, connection }: ParsedResponse): void {
    this.handlers.head({ status, headers: withoutNamed(headers, connection) });
  }

  received(bytes: Buffer): void {
    this.#owed += bytes.length;
    if (this.#owed >= streamWindowBytes) this.connection?.pause();
    this.handlers.data(bytes);
  }

  ended(trailers: readonly string[]): void {
    this.#isOver = true;
    this.connection = undefined;
    this.handlers.end(trailers);
  }

  failed(fault: GatewayFault): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.connection = undefined;
    this.handlers.failed(fault);
  }
}
