import type { ClientRequest, IncomingMessage } from "node:http";
import type { Duplex, Readable } from "node:stream";
import { describeError } from "@shallop/sdk/internal";
import { streamWindowBytes } from "@shallop/sdk/wire";
import { GatewayFault, type GatewayFaultCode } from "./fault-status.ts";
import type { UpstreamHandlers, UpstreamStream } from "./upstream.ts";

/**
 * A request to speak WebSocket with a native pod (RFC 6455, 4). What the client says reaches the pod after its 101 only: a
 * pod that answers anything else has agreed to nothing.
 */
export class UpgradeExchange implements UpstreamStream {
  readonly #handlers: UpstreamHandlers;
  #outgoing: ClientRequest | undefined;
  /** After the 101. */
  #socket: Duplex | undefined;
  #source: Readable | undefined;
  /** Bytes that the receiver has and has not used yet. */
  #owed = 0;
  #connected = false;
  #over = false;

  constructor(handlers: UpstreamHandlers) {
    this.#handlers = handlers;
  }

  start(outgoing: ClientRequest): void {
    this.#outgoing = outgoing;
    outgoing.on("error", (error) => this.#fail(this.#connected ? "CONNECTION_LOST" : "CONNECT_FAILED", error));
    outgoing.once("response", (incoming) => this.#answered(incoming.statusCode ?? 0, incoming, incoming));
    outgoing.once("upgrade", (incoming, socket, head) => this.#upgraded(incoming, socket, head));
    outgoing.end();
  }

  connected(): void {
    this.#connected = true;
  }

  write(chunk: Buffer): boolean {
    return this.#over || (this.#socket?.write(chunk) ?? true);
  }

  end(): void {
    if (!this.#over) this.#socket?.end();
  }

  consumed(byteCount: number): void {
    this.#owed -= byteCount;
    if (this.#owed <= streamWindowBytes / 2 && this.#source?.isPaused() === true) this.#source.resume();
  }

  cancel(): void {
    this.#over = true;
    this.#outgoing?.destroy();
    this.#socket?.destroy();
  }

  #upgraded(incoming: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (incoming.headers.upgrade?.toLowerCase() !== "websocket") {
      socket.destroy();
      return this.#fail("ANSWER_INVALID", new Error("the pod switched to a protocol that was not asked for"));
    }
    this.#socket = socket;
    socket.on("drain", () => this.#over || this.#handlers.writable());
    if (head.length > 0) socket.unshift(head);
    this.#answered(101, incoming, socket);
  }

  #answered(status: number, incoming: IncomingMessage, source: Readable): void {
    if (this.#over) return void source.destroy();
    this.#source = source;
    source.on("error", (error) => this.#fail("CONNECTION_LOST", error));
    this.#handlers.opened(this);
    this.#handlers.head({ status, headers: incoming.rawHeaders });
    source.on("data", (chunk: Buffer) => {
      if (this.#over) return;
      this.#owed += chunk.length;
      if (this.#owed >= streamWindowBytes) source.pause();
      this.#handlers.data(chunk);
    });
    source.once("end", () => {
      if (this.#over) return;
      this.#over = true;
      this.#handlers.end();
    });
    source.once("close", () => this.#fail("CONNECTION_LOST", new Error("the pod broke the connection off")));
  }

  #fail(code: GatewayFaultCode, cause: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.#outgoing?.destroy();
    this.#handlers.failed(new GatewayFault(code, describeError(cause), { cause }));
  }
}
