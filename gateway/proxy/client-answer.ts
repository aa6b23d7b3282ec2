import { type Clock, describeError } from "@shallop/sdk/internal";
import { headerValue } from "../route/predicates.ts";
import type { AnswerRest, ClientEnd } from "./client-end.ts";
import { GatewayFault } from "./fault-status.ts";
import { type AnswerHead, readAnswerHead } from "./response-head.ts";
import { readTrailers } from "./trailers.ts";
import type { UpstreamStream } from "./upstream.ts";

// That of the Web has its trailers in the body.
const grpcType = /^application\/grpc(?!-web)/;

/** Lines before an answer's body that are for the gateway. */
export interface AnswerPrefix {
  /** @returns what of the chunk is the body. @throws Error with a sentence for the pod's owner */
  take(chunk: Buffer): Buffer;
  readonly isWhole: boolean;
}

export interface ClientAnswerOptions {
  readonly peer: ClientEnd;
  readonly requestId: string;
  /** Value of `Server-Timing`; empty: it is not told. */
  readonly serverTiming: () => string;
  readonly prefix: (byteCount: number) => AnswerPrefix;
  readonly clock: Pick<Clock, "nowMs">;
  /** The client has what it takes for now, and there is more. */
  readonly unread: () => void;
}

/**
 * The answer to a request, on its way from a pod to the client: as long as the client can be told its length, whole, and no longer than
 * the pod has said. What throws a GatewayFault has given the client nothing that a fault would not follow.
 */
export class ClientAnswer {
  readonly #options: ClientAnswerOptions;
  #head: AnswerHead | undefined;
  #prefix: AnswerPrefix | undefined;
  #isHeadSent = false;
  /** The first piece of the body, kept for a moment: if it is all, the answer's length is known. */
  #held: Buffer | undefined;
  #receivedBytes = 0;
  /** Bytes that the client has been given, and has not taken yet. */
  #owed = 0;
  #owedSinceMs = 0;
  /** What it is given then: a little at a time, so that a slow one is seen to take some. */
  #waiting: Buffer[] = [];

  constructor(options: ClientAnswerOptions) {
    this.#options = options;
  }

  /** Once it has begun. */
  get head(): AnswerHead | undefined {
    return this.#head;
  }

  /** The head is on its way to the client: a fault can only cut the answer short now. */
  get isHeadSent(): boolean {
    return this.#isHeadSent;
  }

  /** It is one of gRPC: trailers after it tell what has come of the call. */
  get endsWithStatus(): boolean {
    const { hasBody = false, contentLength, headers = [] } = this.#head ?? {};
    return hasBody && contentLength === undefined && grpcType.test(headerValue(headers, "content-type") ?? "");
  }

  /** Since when there has been more than the client takes; undefined: it takes what there is. */
  get unreadSinceMs(): number | undefined {
    return this.#owed === 0 ? undefined : this.#owedSinceMs;
  }

  /** @throws GatewayFault ANSWER_INVALID */
  begin(status: number, rawHeaders: readonly string[]): void {
    const { peer, prefix } = this.#options;
    const head = readAnswerHead(status, rawHeaders, peer.method);
    if (head.prefixBytes > 0) this.#prefix = prefix(head.prefixBytes);
    this.#head = head;
  }

  /** @throws GatewayFault ANSWER_INVALID */
  data(given: Buffer, stream: UpstreamStream | undefined): void {
    const head = this.#head;
    if (head === undefined) return;
    const chunk = this.#prefix === undefined ? given : this.#withoutPrefix(this.#prefix, given, stream);
    if (chunk.length === 0) return;
    if (!head.hasBody) return stream?.consumed(chunk.length);
    this.#receivedBytes += chunk.length;
    if (head.contentLength !== undefined && this.#receivedBytes > head.contentLength)
      throw new GatewayFault("ANSWER_INVALID", "the guest sent more than the length that it gave");
    if (!this.#isHeadSent && this.#held === undefined) {
      this.#held = chunk;
      return;
    }
    this.flush(stream);
    this.#pass(chunk, stream);
  }

  /** The pod has sent all of it. @throws GatewayFault ANSWER_INVALID */
  end(rawTrailers: readonly string[]): void {
    const head = this.#head;
    if (head === undefined) return;
    const isShort = head.contentLength !== undefined && this.#receivedBytes < head.contentLength;
    if (isShort || this.#prefix?.isWhole === false)
      throw new GatewayFault("ANSWER_INVALID", "the guest sent less than the length that it gave");
    const trailers = head.hasBody ? readTrailers(rawTrailers) : [];
    if (!this.#isHeadSent) {
      // A length leaves no room for trailers in HTTP/1.
      const isUnframed = head.status === 101 || trailers.length > 0;
      if (head.hasBody && head.contentLength === undefined && !isUnframed)
        head.headers.push("content-length", String(this.#held?.length ?? 0));
      const isAll = this.#held === undefined && trailers.length === 0;
      this.#sendHead(head, isAll ? "nothing" : trailers.length === 0 ? "body" : "anything");
    }
    for (const chunk of this.#waiting) this.#options.peer.write(chunk);
    this.#waiting = [];
    this.#options.peer.end(this.#held, trailers);
    this.#held = undefined;
  }

  /** Sends the head, and what is held of the body, unless that has been done. @throws GatewayFault ANSWER_INVALID */
  flush(stream: UpstreamStream | undefined): void {
    const head = this.#head;
    if (this.#isHeadSent || head === undefined) return;
    this.#sendHead(head, "anything");
    const held = this.#held;
    this.#held = undefined;
    if (held === undefined) this.#options.peer.flushHead();
    else this.#pass(held, stream);
  }

  #withoutPrefix(prefix: AnswerPrefix, chunk: Buffer, stream: UpstreamStream | undefined): Buffer {
    try {
      const rest = prefix.take(chunk);
      stream?.consumed(chunk.length - rest.length);
      return rest;
    } catch (error) {
      throw new GatewayFault("ANSWER_INVALID", describeError(error), { cause: error });
    }
  }

  #pass(chunk: Buffer, stream: UpstreamStream | undefined): void {
    if (this.#owed > 0 || this.#waiting.length > 0) this.#waiting.push(chunk);
    else this.#write(chunk, stream);
  }

  #write(chunk: Buffer, stream: UpstreamStream | undefined): void {
    const { peer, clock, unread } = this.#options;
    if (peer.write(chunk)) return stream?.consumed(chunk.length);
    this.#owed = chunk.length;
    this.#owedSinceMs = clock.nowMs();
    peer.onceDrained(() => this.#drained(stream));
    unread();
  }

  #drained(stream: UpstreamStream | undefined): void {
    const owed = this.#owed;
    this.#owed = 0;
    for (let chunk = this.#waiting.shift(); chunk !== undefined; chunk = this.#waiting.shift()) {
      this.#write(chunk, stream);
      if (this.#owed > 0) break;
    }
    // It may give more at once.
    stream?.consumed(owed);
  }

  /** @throws GatewayFault ANSWER_INVALID when Node would not send such a head */
  #sendHead(head: AnswerHead, rest: AnswerRest): void {
    const { peer, requestId, serverTiming } = this.#options;
    const timing = serverTiming();
    if (timing !== "") head.headers.push("server-timing", timing);
    head.headers.push("x-request-id", requestId);
    try {
      peer.writeHead(head.status, head.headers, rest);
    } catch (error) {
      throw new GatewayFault("ANSWER_INVALID", describeError(error), { cause: error });
    }
    this.#isHeadSent = true;
  }
}
