import type { RequestHead, ResponseHead } from "@shallop/sdk/wire";
import type { GatewayFault } from "./fault-status.ts";

/** A request to a pod. What `sdk/wire` says of its StreamHandlers holds here too, whatever the pod speaks. */
export interface UpstreamHandlers {
  /** The pod can be sent the body. Called once, before all others but `failed`; perhaps within `open`. */
  opened(stream: UpstreamStream): void;
  /** An interim answer came before the head: 103. Headers are flat. */
  informed(status: number, headers: readonly string[]): void;
  head(head: ResponseHead): void;
  /** The receiver owes `stream.consumed(chunk.length)`. */
  data(chunk: Buffer): void;
  /** Trailers are flat. */
  end(trailers?: readonly string[]): void;
  /** Nothing is called after it. CONNECT_FAILED and REFUSED: the request was not begun. */
  failed(fault: GatewayFault): void;
  writable(): void;
}

export interface UpstreamStream {
  /** All of `chunk` is taken; false asks for a pause until `writable`. */
  write(chunk: Buffer): boolean;
  /** Trailers are flat; a pod whose protocol has none does not get them. */
  end(trailers?: readonly string[]): void;
  consumed(byteCount: number): void;
}

export interface UpstreamRequest {
  readonly head: RequestHead;
  /** Undefined when it is not known, or there is none. */
  readonly contentLength: number | undefined;
  readonly hasBody: boolean;
  /**
   * Asks the pod to speak WebSocket. If it agrees its answer is a 101, and the bodies are what both sides say then; if it
   * does not, the request's body is not sent.
   */
  readonly isUpgrade: boolean;
}

/** Gives the request up; nothing is called after it. */
export type CancelUpstream = () => void;

/** The way to one pod. Connections are made when they are needed, and kept. */
export interface Upstream {
  /** It takes requests with `isUpgrade`. */
  readonly upgrades: boolean;
  open(request: UpstreamRequest, handlers: UpstreamHandlers): CancelUpstream;
  /** The pod gets no new requests: connections are closed once they are idle. */
  retire(): void;
}

// A unix socket or a bridge address of this machine answers in microseconds, another machine in milliseconds.
export const connectTimeoutMs = 2_000;
