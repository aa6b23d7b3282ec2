import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from "node:http2";
import type { Duplex } from "node:stream";
import { describeError } from "@shallop/sdk/internal";
import { streamWindowBytes } from "@shallop/sdk/wire";
import { GatewayFault, type GatewayFaultCode } from "./fault-status.ts";
import { byName } from "./trailers.ts";
import type { CancelUpstream, Upstream, UpstreamHandlers, UpstreamRequest, UpstreamStream } from "./upstream.ts";

// A guest's headers; the same as over the other ways to a pod.
const answerHeaderBytesMax = 64 * 1024;
const answerHeaderCountMax = 2_000;

/** Requests to a native pod that speaks HTTP/2, by streams of one connection; a new one when that takes no more. */
export class Http2Upstream implements Upstream {
  readonly upgrades = false;
  readonly #dial: () => Promise<Duplex>;
  #connection: Promise<ClientHttp2Session> | undefined;

  /** `dial` makes a connection to the pod. */
  constructor(dial: () => Promise<Duplex>) {
    this.#dial = dial;
  }

  open(request: UpstreamRequest, handlers: UpstreamHandlers): CancelUpstream {
    const exchange = new Http2Exchange(request, handlers);
    this.#connection ??= this.#connect();
    this.#connection.then(
      (session) => exchange.start(session),
      (error: unknown) => exchange.fail("CONNECT_FAILED", error),
    );
    return () => exchange.cancel();
  }

  retire(): void {
    // Streams that run finish.
    this.#connection?.then(
      (session) => session.close(),
      () => undefined,
    );
    this.#connection = undefined;
  }

  #connect(): Promise<ClientHttp2Session> {
    const connection = this.#dial().then(startSession);
    const forget = (): void => {
      if (this.#connection === connection) this.#connection = undefined;
    };
    connection.then((session) => {
      for (const event of ["goaway", "close"]) session.on(event, forget);
      if (session.closed) forget();
    }, forget);
    return connection;
  }
}

function startSession(socket: Duplex): ClientHttp2Session {
  const session = connect("http://pod", {
    createConnection: () => socket,
    settings: { enablePush: false, initialWindowSize: streamWindowBytes, maxHeaderListSize: answerHeaderBytesMax },
    maxHeaderListPairs: answerHeaderCountMax,
  });
  // Its streams and its close say what there is to say.
  session.on("error", () => undefined);
  return session;
}

class Http2Exchange implements UpstreamStream {
  readonly #request: UpstreamRequest;
  readonly #handlers: UpstreamHandlers;
  #stream: ClientHttp2Stream | undefined;
  #sent: readonly string[] = [];
  #received: readonly string[] = [];
  /** Body bytes that the receiver has and has not used yet. */
  #owed = 0;
  #over = false;
  /** The pod has said that its answer is over. */
  #isWhole = false;

  constructor(request: UpstreamRequest, handlers: UpstreamHandlers) {
    this.#request = request;
    this.#handlers = handlers;
  }

  start(session: ClientHttp2Session): void {
    if (this.#over) return;
    const { hasBody, contentLength } = this.#request;
    const waitForTrailers = hasBody && contentLength === undefined;
    try {
      const stream = session.request(headersOf(this.#request), { endStream: !hasBody, waitForTrailers });
      this.#stream = stream;
      this.#listen(stream, session);
      if (waitForTrailers) stream.once("wantTrailers", () => stream.sendTrailers(byName(this.#sent)));
    } catch (error) {
      return this.fail("CONNECT_FAILED", error);
    }
    this.#handlers.opened(this);
  }

  write(chunk: Buffer): boolean {
    return this.#over || (this.#stream?.write(chunk) ?? true);
  }

  end(trailers: readonly string[] = []): void {
    if (this.#over || !this.#request.hasBody) return;
    this.#sent = trailers;
    this.#stream?.end();
  }

  consumed(byteCount: number): void {
    this.#owed -= byteCount;
    if (this.#owed <= streamWindowBytes / 2 && this.#stream?.isPaused() === true) this.#stream.resume();
  }

  cancel(): void {
    this.#over = true;
    this.#stream?.close(constants.NGHTTP2_CANCEL);
  }

  fail(code: GatewayFaultCode, cause: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#handlers.failed(
      cause instanceof GatewayFault ? cause : new GatewayFault(code, describeError(cause), { cause }),
    );
  }

  #listen(stream: ClientHttp2Stream, session: ClientHttp2Session): void {
    let error: Error | undefined;
    this.#watchEnd(stream);
    stream.on("error", (reason) => (error = reason));
    stream.on("response", (headers, _flags, raw) => this.#respond(headers, raw));
    stream.on("headers", (headers: IncomingHttpHeaders) => this.#inform(headers));
    stream.on("trailers", (_headers, _flags, raw?: readonly string[]) => (this.#received = raw ?? []));
    stream.on("data", (chunk: Buffer) => {
      if (this.#over) return;
      this.#owed += chunk.length;
      if (this.#owed >= streamWindowBytes) stream.pause();
      this.#handlers.data(chunk);
    });
    stream.on("end", () => this.#end(stream));
    stream.on("close", () =>
      this.fail(faultOf(stream.rstCode, !session.destroyed), error ?? new Error("the pod reset the stream")),
    );
    if (this.#request.hasBody) stream.on("drain", () => this.#over || this.#handlers.writable());
  }

  /** RFC 9113, 8.1: interim answers come before the head. */
  #inform(headers: IncomingHttpHeaders): void {
    if (this.#over || Number(headers[":status"]) !== 103) return;
    const flat = Object.entries(headers).flatMap(([name, value]) =>
      name.startsWith(":") ? [] : [value ?? []].flat().flatMap((one) => [name, one]),
    );
    this.#handlers.informed(103, flat);
  }

  #respond(headers: IncomingHttpHeaders, raw: readonly string[] = []): void {
    if (this.#over) return;
    const flat = raw.filter((_item, index) => !(raw[index - (index % 2)] ?? "").startsWith(":"));
    this.#handlers.head({ status: Number(headers[":status"]), headers: flat });
  }

  /** Node lets a stream that is reset without an error end as one that is over does. Which it was is seen only as it comes. */
  #watchEnd(stream: ClientHttp2Stream): void {
    const push = stream.push.bind(stream);
    stream.push = (chunk: unknown, encoding?: BufferEncoding): boolean => {
      if (chunk === null && !stream.closed) this.#isWhole = true;
      return push(chunk, encoding);
    };
  }

  #end(stream: ClientHttp2Stream): void {
    // A stream that is reset ends, too.
    if (this.#over || !this.#isWhole || stream.rstCode !== constants.NGHTTP2_NO_ERROR || stream.aborted) return;
    this.#over = true;
    // The pod answered without reading all: the rest is of no use to anybody.
    if (!stream.writableEnded) stream.close(constants.NGHTTP2_NO_ERROR);
    this.#handlers.end(this.#received);
  }
}

function headersOf({ head }: UpstreamRequest): string[] {
  return [
    ...[":method", head.method, ":scheme", "http", ":authority", head.authority, ":path", head.target],
    ...head.headers,
    // gRPC asks for it, and a hop that passes trailers says so itself (RFC 9110, 10.1.4).
    ...["te", "trailers"],
  ];
}

/** A stream that was refused was not begun (RFC 9113, 8.7); another reset is the word of the pod's own program. */
function faultOf(resetCode: number, isConnected: boolean): GatewayFaultCode {
  if (resetCode === constants.NGHTTP2_REFUSED_STREAM) return "REFUSED";
  return isConnected && resetCode !== constants.NGHTTP2_NO_ERROR ? "ANSWER_INVALID" : "CONNECTION_LOST";
}
