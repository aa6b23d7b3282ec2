import type { IncomingMessage, ServerResponse } from "node:http";
import {
  type RequestHead,
  type ResponseHead,
  type StreamHandlers,
  WireFault,
  type WireFaultCode,
} from "@shallop/sdk/wire";
import { hopByHopNames, latin1 } from "../component/wasi/header-rules.ts";
import type { GuestStream } from "../host/wire-response.ts";
import { answerFault } from "./http-fault.ts";

// Of a request's body, what may wait for the guest before the client has to; as a stream of the wire.
const unreadBytesMax = 64 * 1024;

// An answer of this size leaves as one write when it is complete at once; above it copying costs more than a write.
const heldBytesMax = 16 * 1024;
const noBytes = new Uint8Array();

/** The beginning of an answer that has not left yet. */
interface HeldAnswer {
  readonly head: ResponseHead;
  readonly chunks: Uint8Array[];
  bytes: number;
}

export interface HttpRequestFacts {
  readonly requestId: string;
  /** A body was announced: of a length, or in chunks. */
  readonly hasBody: boolean;
}

/** One request of node:http and its answer, as what carries a request to a guest. */
export class HttpStream implements GuestStream {
  readonly #incoming: IncomingMessage;
  readonly #outgoing: ServerResponse;
  readonly #request: HttpRequestFacts;
  #unread = 0;
  #closed = false;
  #held: HeldAnswer | undefined;
  #handlers: StreamHandlers | undefined;

  constructor(incoming: IncomingMessage, outgoing: ServerResponse, request: HttpRequestFacts) {
    this.#incoming = incoming;
    this.#outgoing = outgoing;
    this.#request = request;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Hands on the request's body, and tells of a client that leaves. Once. */
  handle(handlers: StreamHandlers): void {
    this.#handlers = handlers;
    if (this.#request.hasBody) this.#read(handlers);
    else handlers.end();
    this.#outgoing.once("close", () => {
      if (this.#closed) return;
      this.#closed = true;
      handlers.failed(new WireFault("CANCELLED", "the client is gone"));
    });
  }

  /** The head waits for the end of this turn: an answer that is complete by then leaves as one write. */
  respond(head: ResponseHead): void {
    if (this.#closed) return;
    this.#held = { head, chunks: [], bytes: 0 };
    process.nextTick(() => this.#release());
  }

  write(chunk: Uint8Array): boolean {
    if (this.#closed) return true;
    const held = this.#held;
    if (held !== undefined && held.bytes + chunk.length <= heldBytesMax) {
      held.chunks.push(chunk);
      held.bytes += chunk.length;
      return true;
    }
    this.#release();
    if (this.#outgoing.write(chunk)) return true;
    this.#outgoing.once("drain", () => this.#handlers?.writable?.());
    return false;
  }

  end(trailers: readonly string[] = []): void {
    if (this.#closed) return;
    // Only a body in chunks has a place for them, and not every client looks there.
    if (trailers.length > 0) this.#release();
    this.#finish();
    if (trailers.length > 0) this.#outgoing.addTrailers(pairsOf(trailers));
    if (this.#held === undefined) this.#outgoing.end();
    else this.#sendWhole(this.#held);
  }

  abort(code: WireFaultCode): void {
    if (this.#closed) return;
    this.#finish();
    // What has begun cannot become another answer: the client sees that it is cut off.
    this.#held = undefined;
    if (this.#outgoing.headersSent) this.#outgoing.destroy();
    else answerFault(this.#outgoing, code, this.#request.requestId);
  }

  consumed(byteCount: number): void {
    this.#unread -= byteCount;
    if (!this.#closed && this.#unread < unreadBytesMax && this.#incoming.isPaused()) this.#incoming.resume();
  }

  #read(handlers: StreamHandlers): void {
    this.#incoming.on("data", (chunk: Buffer) => {
      if (this.#closed) return;
      this.#unread += chunk.length;
      if (this.#unread >= unreadBytesMax) this.#incoming.pause();
      handlers.data(chunk);
    });
    this.#incoming.once("end", () => {
      if (!this.#closed) handlers.end(lowerCased(this.#incoming.rawTrailers));
    });
  }

  /** What was held leaves, and the rest follows as it comes. */
  #release(): void {
    const held = this.#held;
    if (held === undefined || this.#closed) return;
    this.#held = undefined;
    this.#outgoing.writeHead(held.head.status, this.#headersOf(held.head));
    // At once, also when nothing of the body is there yet.
    this.#outgoing.flushHeaders();
    for (const chunk of held.chunks) this.#outgoing.write(chunk);
  }

  #sendWhole({ head, chunks, bytes }: HeldAnswer): void {
    const headers = this.#headersOf(head);
    // A body that HEAD or the status suppresses has a length that nobody knows here.
    const hasBody = this.#incoming.method !== "HEAD" && head.status !== 204 && head.status !== 304;
    if (hasBody && !head.headers.includes("content-length")) headers.push("content-length", String(bytes));
    this.#outgoing.writeHead(head.status, headers);
    // node:http puts a string behind the head, and sends both in one piece.
    const [first = noBytes] = chunks;
    this.#outgoing.end(latin1(chunks.length > 1 ? Buffer.concat(chunks) : first), "latin1");
  }

  #headersOf({ headers }: ResponseHead): string[] {
    return [...headers, "x-request-id", this.#request.requestId];
  }

  /** What the client still sends is read and dropped: the next request of the connection comes after it. */
  #finish(): void {
    this.#closed = true;
    if (this.#incoming.isPaused()) this.#incoming.resume();
  }
}

/** `raw`: name, value, name, value; what belongs to the connection is left out. */
function lowerCased(raw: readonly string[]): string[] {
  const flat: string[] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = (raw[index] ?? "").toLowerCase();
    if (!hopByHopNames.has(name)) flat.push(name, raw[index + 1] ?? "");
  }
  return flat;
}

const pairsOf = (flat: readonly string[]): [name: string, value: string][] =>
  Array.from({ length: flat.length / 2 }, (_, index) => [flat[2 * index] ?? "", flat[2 * index + 1] ?? ""]);

/** A request's head as a guest sees it, in one pass over what the client wrote; and whether a body follows it. */
export function readRequest(
  incoming: IncomingMessage,
  { requestId, timeoutMs }: { readonly requestId: string; readonly timeoutMs: number },
): { readonly head: RequestHead; readonly hasBody: boolean } {
  const raw = incoming.rawHeaders;
  const headers: string[] = [];
  let host: string | undefined;
  let hasBody = false;
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = (raw[index] ?? "").toLowerCase();
    const value = raw[index + 1] ?? "";
    if (name === "host") host ??= value;
    else if (name === "transfer-encoding" || (name === "content-length" && value !== "0")) hasBody = true;
    if (!hopByHopNames.has(name)) headers.push(name, value);
  }
  const { method = "GET", url = "/" } = incoming;
  // A client that takes this server for a proxy writes the whole address (RFC 9112, 3.2.2).
  const absolute = url.startsWith("/") ? null : /^https?:\/\/([^/?#]*)([^#]*)/i.exec(url);
  const target = absolute === null ? url : absolute[2] || "/";
  const authority = absolute?.[1] ?? host ?? "";
  return { head: { method, target, scheme: "http", authority, headers, requestId, timeoutMs }, hasBody };
}
