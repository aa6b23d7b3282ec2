import { randomBytes } from "node:crypto";
import {
  constants,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from "node:http2";
import type { Socket } from "node:net";
import { type Clock, describeError, type Log, type Timer } from "@shallop/sdk/internal";
import type { GatewayLimits } from "../limits.ts";
import { GatewayFault } from "../proxy/fault-status.ts";
import { fieldOverheadBytes, readHttp2Head } from "../proxy/http2-request-head.ts";
import { isKnownMethod } from "../proxy/request-head.ts";
import type { ClientConnection } from "./connections.ts";
import { Http2WebSocketClient } from "./http2-web-socket-client.ts";
import { Http2Client } from "./http2-client.ts";
import type { ReceivedRequest } from "./received-request.ts";
import { UnreadStreams } from "./unread-streams.ts";
import { UnwantedStreams } from "./unwanted-streams.ts";

export interface Http2ListenerOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: GatewayLimits;
  readonly received: (request: ReceivedRequest) => void;
}

// A client that pings, changes its settings or breaks frames more than this is no browser.
const settingsMax = 32;
const pingsMax = 10;
const invalidFramesMax = 100;
// What Node keeps for one connection before it refuses streams of it; MB.
const sessionMegabytesMax = 10;
// The largest there can be: no stream is refused by it.
const streamIdMax = 2 ** 31 - 1;
// A round trip to the far side of the earth and back takes a third of it.
const retireMs = 1_000;
// So much more than is let through is read, and refused with an answer; above it the stream is reset. With the default of 16 KiB
// it is what nghttp2 takes at most.
const refusableFactor = 4;

/** HTTP/2 of clients by Node's sessions, every limit of which is set here and nowhere left to Node's default. */
export class Http2Listener {
  readonly #options: Http2ListenerOptions;
  readonly #sessionOptions: ServerOptions;
  /** With the timer of those that are to take no further streams. */
  readonly #sessions = new Map<ServerHttp2Session, Timer | undefined>();
  readonly #unread: UnreadStreams;
  readonly #unwanted = new UnwantedStreams();
  readonly #looking: Timer;
  #isAnnounced = false;

  constructor(options: Http2ListenerOptions) {
    this.#options = options;
    const { clock, limits } = options;
    this.#unread = new UnreadStreams(limits.bodyIdleTimeoutMs);
    this.#looking = clock.every(limits.headerCheckMs, () => {
      this.#unread.look(clock.nowMs());
      this.#unwanted.look();
    });
    const refusableBytes = limits.headerBytesMax * refusableFactor;
    this.#sessionOptions = {
      settings: {
        enablePush: false,
        enableConnectProtocol: true,
        maxConcurrentStreams: limits.streamsMax,
        initialWindowSize: limits.streamWindowBytes,
        maxHeaderListSize: refusableBytes,
      },
      // The bytes are the bound: crumbs of a cookie count as fields, and become one.
      maxHeaderListPairs: refusableBytes / fieldOverheadBytes,
      maxSettings: settingsMax,
      maxOutstandingPings: pingsMax,
      maxSessionInvalidFrames: invalidFramesMax,
      maxSessionMemory: sessionMegabytesMax,
      streamResetBurst: limits.resetBurst,
      streamResetRate: limits.resetsPerSecond,
    };
  }

  /** Takes over a connection whose client speaks HTTP/2. */
  take(socket: Socket, connection: ClientConnection): void {
    const { limits, log } = this.#options;
    const session = performServerHandshake(socket, this.#sessionOptions);
    connection.isHttp2 = true;
    this.#sessions.set(session, undefined);
    session.once("close", () => {
      this.#sessions.get(session)?.cancel();
      this.#sessions.delete(session);
    });
    session.on("error", (error) => log.debug("a client of HTTP/2 broke off", { reason: describeError(error) }));
    session.setLocalWindowSize(limits.connectionWindowBytes);
    session.setTimeout(limits.idleTimeoutMs, () => {
      if (connection.open.size === 0) session.close();
    });
    session.on("stream", (stream, headers, _flags, raw) =>
      this.#request(stream, { connection, method: headers[":method"] ?? "", raw }),
    );
    // It was accepted before, and has said only now that it speaks HTTP/2.
    if (this.#isAnnounced) announceClose(session);
  }

  /** Asks clients to make no new streams; those that are on their way are still taken (RFC 9113, 6.8). */
  announceClose(): void {
    this.#isAnnounced = true;
    for (const session of this.#sessions.keys()) announceClose(session);
  }

  /** There are no connections any more. */
  stop(): void {
    this.#looking.cancel();
  }

  /** No new streams; those that are open go on. */
  close(): void {
    for (const session of this.#sessions.keys()) session.close();
  }

  /**
   * Two GOAWAYs (RFC 9113, 6.8): the first says that no further streams are wanted, and refuses none; the second, when those that
   * were on their way have come, says which was the last. Streams that are open go on.
   */
  #retire(session: ServerHttp2Session | undefined): void {
    if (session === undefined || session.closed || this.#sessions.get(session) !== undefined) return;
    announceClose(session);
    this.#sessions.set(
      session,
      this.#options.clock.after(retireMs, () => session.close()),
    );
  }

  #request(
    stream: ServerHttp2Stream,
    head: { readonly connection: ClientConnection; readonly method: string; readonly raw: readonly string[] },
  ): void {
    const { limits, received } = this.#options;
    const { connection, method, raw } = head;
    if (method === "CONNECT" && valueOf(raw, ":protocol") === "websocket")
      return this.#webSocket(stream, connection, raw);
    const expectation = valueOf(raw, "expect");
    const expectsContinue = expectation === "100-continue";
    received({
      peer: new Http2Client(stream, {
        method,
        headers: raw,
        expectsContinue,
        retire: () => this.#retire(sessionOf(stream)),
        unread: this.#wait,
        unwanted: this.#refuse,
      }),
      connection,
      scheme: connection.scheme,
      protocol: "2",
      expectsContinue,
      read: () => {
        if (expectation !== undefined && !expectsContinue) throw new GatewayFault("EXPECTATION_FAILED", "");
        if (method === "CONNECT" || method === "TRACE" || !isKnownMethod(method)) {
          throw new GatewayFault("NOT_SUPPORTED", `This gateway does not answer ${method.slice(0, 32)}.`);
        }
        return readHttp2Head(raw, { limits, isAll: stream.endAfterHeaders });
      },
    });
  }

  /** The last of an answer waits for its reader without anybody's doing. */
  readonly #wait = (stream: ServerHttp2Stream): void => this.#unread.add(stream, this.#options.clock.nowMs());

  /** The rest of a request that has its answer. */
  readonly #refuse = (stream: ServerHttp2Stream): void => this.#unwanted.add(stream);

  /** An extended CONNECT (RFC 8441): a stream in which WebSocket is spoken. */
  #webSocket(stream: ServerHttp2Stream, connection: ClientConnection, raw: readonly string[]): void {
    const { limits, received } = this.#options;
    const webSocketKey = randomBytes(16).toString("base64");
    received({
      peer: new Http2WebSocketClient(stream, {
        key: webSocketKey,
        retire: () => this.#retire(sessionOf(stream)),
        unread: this.#wait,
        unwanted: this.#refuse,
      }),
      connection,
      scheme: connection.scheme,
      protocol: "2",
      expectsContinue: false,
      read: () => readHttp2Head(raw, { limits, isAll: false, webSocketKey }),
    });
  }
}

function valueOf(raw: readonly string[], name: string): string | undefined {
  for (let index = 0; index < raw.length; index += 2) if (raw[index] === name) return raw[index + 1];
  return undefined;
}

// The assertion is of a union of Node's types: a server's stream has a server's session.
const sessionOf = ({ session }: ServerHttp2Stream): ServerHttp2Session | undefined =>
  session as ServerHttp2Session | undefined;

const announceClose = (session: ServerHttp2Session): void => session.goaway(constants.NGHTTP2_NO_ERROR, streamIdMax);
