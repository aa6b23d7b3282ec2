import {
  constants,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from "node:http2";
import type { Socket } from "node:net";
import { describeError, type Log } from "@shallop/sdk/internal";
import type { GatewayLimits } from "../limits.ts";
import { GatewayFault } from "../proxy/fault-status.ts";
import { readHttp2Head } from "../proxy/http2-request-head.ts";
import type { ClientConnection } from "./connections.ts";
import { Http2Client } from "./http2-client.ts";
import type { ReceivedRequest } from "./received-request.ts";

export interface Http2ListenerOptions {
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
// `:method`, `:path`, `:scheme` and `:authority`.
const pseudoHeaders = 4;

/** HTTP/2 of clients by Node's sessions, every limit of which is set here and nowhere left to Node's default. */
export class Http2Listener {
  readonly #options: Http2ListenerOptions;
  readonly #sessionOptions: ServerOptions;
  readonly #sessions = new Set<ServerHttp2Session>();
  #isAnnounced = false;

  constructor(options: Http2ListenerOptions) {
    this.#options = options;
    const { limits } = options;
    this.#sessionOptions = {
      settings: {
        enablePush: false,
        maxConcurrentStreams: limits.streamsMax,
        initialWindowSize: limits.streamWindowBytes,
        maxHeaderListSize: limits.headerBytesMax,
      },
      // One more than is let through, so that it is refused with an answer.
      maxHeaderListPairs: limits.headerCountMax + pseudoHeaders + 1,
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
    this.#sessions.add(session);
    session.once("close", () => this.#sessions.delete(session));
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
    for (const session of this.#sessions) announceClose(session);
  }

  /** No new streams; those that are open go on. */
  close(): void {
    for (const session of this.#sessions) session.close();
  }

  #request(
    stream: ServerHttp2Stream,
    head: { readonly connection: ClientConnection; readonly method: string; readonly raw: readonly string[] },
  ): void {
    const { limits, received } = this.#options;
    const { connection, method, raw } = head;
    const expectsContinue = expectationOf(raw) === "100-continue";
    received({
      peer: new Http2Client(stream, method, expectsContinue),
      connection,
      scheme: connection.scheme,
      protocol: "2",
      expectsContinue,
      read: () => {
        const expectation = expectationOf(raw);
        if (expectation !== undefined && !expectsContinue) throw new GatewayFault("EXPECTATION_FAILED", "");
        if (method === "CONNECT" || method === "TRACE") {
          throw new GatewayFault("NOT_SUPPORTED", `This gateway does not answer ${method}.`);
        }
        return readHttp2Head(raw, { isAll: stream.endAfterHeaders, headerCountMax: limits.headerCountMax });
      },
    });
  }
}

function expectationOf(raw: readonly string[]): string | undefined {
  for (let index = 0; index < raw.length; index += 2) if (raw[index] === "expect") return raw[index + 1];
  return undefined;
}

const announceClose = (session: ServerHttp2Session): void => session.goaway(constants.NGHTTP2_NO_ERROR, streamIdMax);
