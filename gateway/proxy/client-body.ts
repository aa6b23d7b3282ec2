import type { Clock } from "@shallop/sdk/internal";
import { streamWindowBytes } from "@shallop/sdk/wire";
import type { ClientRequest } from "./exchange.ts";
import type { GatewayFaultCode } from "./fault-status.ts";
import type { KeptBytes } from "./kept-bytes.ts";
import { readTrailers } from "./trailers.ts";
import type { UpstreamStream } from "./upstream.ts";

// What was sent of a body is kept up to this until the answer begins, so that a pod that is lost costs a client with a form or a
// JSON document nothing.
const replayBytesMax = 64 * 1024;
// Of a larger one all is kept that a pod gets before it has read any, and the piece that is too much for that: one that refuses has
// read nothing.
const unreadBytesMax = streamWindowBytes + 64 * 1024;

/** The body of a request, on its way to one pod, or to another after the first has refused it. */
export class ClientBody {
  /** There is a body, if perhaps an empty one. */
  readonly expected: boolean;
  readonly #request: ClientRequest;
  readonly #bytesMax: number;
  readonly #clock: Clock;
  readonly #kept: KeptBytes;
  #stream: UpstreamStream | undefined;
  #tooLarge: ((code: GatewayFaultCode) => void) | undefined;
  #sent: Buffer[] | undefined = [];
  #sentBytes = 0;
  /** Of what all requests may keep. */
  #takenBytes = 0;
  #begun = false;
  #ended = false;
  #trailers: readonly string[] = [];
  #lastReadMs = 0;

  constructor(
    request: ClientRequest,
    { bytesMax, clock, kept }: { readonly bytesMax: number; readonly clock: Clock; readonly kept: KeptBytes },
  ) {
    this.#request = request;
    this.#bytesMax = bytesMax;
    this.#clock = clock;
    this.#kept = kept;
    const { chunked, contentLength, isUpgrade } = request.headers;
    this.expected = chunked || isUpgrade || (contentLength ?? 0) > 0;
  }

  /** The client has been asked for it. */
  get begun(): boolean {
    return this.#begun;
  }

  /** All that was sent can be sent again. */
  get replayable(): boolean {
    return this.#sent !== undefined;
  }

  /** When the client last sent some, while more is wanted of it; undefined when it owes none. */
  get lastReadMs(): number | undefined {
    const owes =
      this.expected && !this.#request.headers.isUpgrade && this.#begun && !this.#ended && this.#stream !== undefined;
    return owes && !this.#request.peer.isPaused ? this.#lastReadMs : undefined;
  }

  /** When the client last sent some. */
  get lastSentMs(): number {
    return this.#lastReadMs;
  }

  /** Sends to `stream` from the start. `tooLarge` is called, once, when it turns out longer than it may be. */
  sendTo(stream: UpstreamStream, tooLarge: (code: GatewayFaultCode) => void): void {
    if (!this.expected) return stream.end();
    this.#stream = stream;
    this.#tooLarge = tooLarge;
    let hasRoom = true;
    for (const chunk of this.#sent ?? []) hasRoom = stream.write(chunk);
    if (this.#ended) return stream.end(this.#trailers);
    this.#lastReadMs = this.#clock.nowMs();
    if (!this.#begun) this.#begin();
    else if (hasRoom) this.#request.peer.resume();
  }

  /** The stream can take more. */
  writable(): void {
    if (this.#stream === undefined) return;
    // The pod reads: it has not refused.
    if (this.#sentBytes > replayBytesMax) this.forgetSent();
    this.#lastReadMs = this.#clock.nowMs();
    this.#request.peer.resume();
  }

  /** The stream is over; what the client sends waits. */
  detach(): void {
    if (this.#stream === undefined) return;
    this.#stream = undefined;
    this.#request.peer.pause();
  }

  /** It will not be sent again. */
  forgetSent(): void {
    this.#kept.give(this.#takenBytes);
    this.#takenBytes = 0;
    this.#sent = undefined;
  }

  /** For another pod, should this one refuse. */
  #keep(chunk: Buffer): void {
    if (this.#sent === undefined) return;
    const missingBytes = this.#sentBytes > replayBytesMax ? this.#sentBytes - this.#takenBytes : 0;
    if (this.#sentBytes > unreadBytesMax || !this.#kept.take(missingBytes)) return this.forgetSent();
    this.#takenBytes += missingBytes;
    this.#sent.push(chunk);
  }

  #begin(): void {
    this.#begun = true;
    this.#request.peer.receive({
      data: (chunk) => this.#data(chunk),
      end: (trailers) => {
        this.#ended = true;
        this.#trailers = readTrailers(trailers);
        this.#stream?.end(this.#trailers);
      },
    });
  }

  #data(chunk: Buffer): void {
    this.#sentBytes += chunk.length;
    if (this.#sentBytes > this.#bytesMax && !this.#request.headers.isUpgrade) return this.#tooLarge?.("BODY_TOO_LARGE");
    this.#lastReadMs = this.#clock.nowMs();
    this.#keep(chunk);
    if (this.#stream?.write(chunk) === false) this.#request.peer.pause();
  }
}
