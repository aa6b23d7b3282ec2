import { createHash } from "node:crypto";
import type { ServerHttp2Stream } from "node:http2";
import { ClientDecorator } from "../filter/client-decorator.ts";
import type { AnswerRest, DetachedSocket } from "../proxy/client-end.ts";
import { Http2Client } from "./http2-client.ts";

export interface Http2WebSocketSettings {
  /** `Sec-WebSocket-Key` that pods are shown: HTTP/2 has none (RFC 8441, 5), and their protocol wants one. */
  readonly key: string;
  /** Its connection is to take no further requests. */
  readonly retire: () => void;
  readonly unread: (stream: ServerHttp2Stream) => void;
  readonly unwanted: (stream: ServerHttp2Stream) => void;
}

/** RFC 6455, 1.3. */
const acceptGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/**
 * The client's end of a request to speak WebSocket in a stream of HTTP/2 (RFC 8441): to all behind it, it is one of HTTP/1.1 that is
 * answered with 101. What the client says before it has an answer waits in the stream, which takes no more than its window.
 */
export class Http2WebSocketClient extends ClientDecorator {
  readonly #stream: ServerHttp2Stream;
  readonly #accept: string;

  constructor(stream: ServerHttp2Stream, { key, ...settings }: Http2WebSocketSettings) {
    super(new Http2Client(stream, { method: "GET", headers: [], expectsContinue: false, ...settings }));
    this.#stream = stream;
    this.#accept = createHash("sha1")
      .update(key + acceptGuid)
      .digest("base64");
  }

  override inform(): void {
    // What is no 101 ends it.
  }

  /** @throws Error when who answers has not understood the handshake, which the client cannot check */
  override writeHead(status: number, headers: readonly string[], rest: AnswerRest): void {
    if (status !== 101) return super.writeHead(status, headers, rest);
    const kept: string[] = [];
    let accepted: string | undefined;
    for (let index = 0; index + 1 < headers.length; index += 2) {
      const [name = "", value = ""] = headers.slice(index, index + 2);
      if (name === "sec-websocket-accept") accepted = value;
      else kept.push(name, value);
    }
    if (accepted !== this.#accept)
      throw new Error("the answer to the handshake of a WebSocket is to another one's key");
    this.#stream.respond([":status", "200", ...kept]);
  }

  override detach(): DetachedSocket {
    return { socket: this.#stream, head: Buffer.alloc(0) };
  }
}
