import { constants, type ServerHttp2Stream } from "node:http2";

/**
 * Streams of HTTP/2 whose requests have been answered before they were all there: when the answer has left they are reset without an error
 * (RFC 9113, 8.1). A reset takes a head that has not left yet with it, in nghttp2, and what is said in answer to a head only leaves when all
 * has been read that came with it: by then the request may be complete.
 */
export class UnwantedStreams {
  readonly #streams = new Set<ServerHttp2Stream>();

  add(stream: ServerHttp2Stream): void {
    setImmediate(() => {
      if (isSettled(stream)) return;
      this.#streams.add(stream);
      stream.once("close", () => this.#streams.delete(stream));
    });
  }

  /** Again at those whose connection had not taken their answers then. */
  look(): void {
    for (const stream of this.#streams) if (isSettled(stream)) this.#streams.delete(stream);
  }
}

/** Resets it if that is to be done, and may be. */
function isSettled(stream: ServerHttp2Stream): boolean {
  if (stream.destroyed || stream.closed || stream.readableEnded) return true;
  if ((stream.session?.state.outboundQueueSize ?? 0) > 0) return false;
  stream.close(constants.NGHTTP2_NO_ERROR);
  return true;
}
