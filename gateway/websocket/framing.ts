import type { IncomingMessage } from "node:http";
import { type ServerOptions, type WebSocket, WebSocketServer } from "ws";
import type { DetachedSocket } from "../proxy/client-end.ts";

export interface Handshake extends DetachedSocket {
  /** `Sec-WebSocket-Key`. */
  readonly key: string;
  /** The subprotocol that was chosen. */
  readonly protocol: string | undefined;
  /** Gives the client its 101, with these headers; flat. */
  readonly writeHead: (headers: readonly string[]) => void;
}

// A client that has been told of the close and does not answer is cut off after this.
const closeTimeoutMs = 5_000;
// Of one message: the same bound on pieces that Node puts on headers keeps small frames from costing more than their bytes.
const fragmentsMax = 16 * 1024;

/** RFC 6455's frames, by the library `ws`, on connections that others have accepted. */
export class Framing {
  readonly #server: WebSocketServer;
  /** The handshake under way: all of it happens within one call. */
  #handshake: Handshake | undefined;

  constructor(messageBytesMax: number) {
    const options: ServerOptions & { readonly closeTimeout: number; readonly maxFragments: number } = {
      noServer: true,
      clientTracking: false,
      maxPayload: messageBytesMax,
      // Its contexts would cost each idle connection more than all else, and a small message can unpack into a large one.
      perMessageDeflate: false,
      closeTimeout: closeTimeoutMs,
      maxFragments: fragmentsMax,
    };
    this.#server = new WebSocketServer(options);
    this.#server.on("headers", (lines: readonly string[]) => this.#writeHead(lines));
  }

  /** @returns undefined when the client has gone */
  open(handshake: Handshake): WebSocket | undefined {
    const { key, protocol, socket, head } = handshake;
    const headers = {
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": key,
      ...(protocol === undefined ? {} : { "sec-websocket-protocol": protocol }),
    };
    const request = { method: "GET", headers } as unknown as IncomingMessage;
    let opened: WebSocket | undefined;
    this.#handshake = handshake;
    this.#server.handleUpgrade(request, socket, head, (webSocket) => void (opened = webSocket));
    this.#handshake = undefined;
    Reflect.deleteProperty(socket, "write");
    return opened;
  }

  /** The head goes the client's way, whatever protocol that is: what the library writes after this is the same head again. */
  #writeHead(lines: readonly string[]): void {
    const { socket, writeHead } = this.#handshake ?? {};
    const headers = lines.flatMap((line) => {
      const [name = "", value = ""] = line.split(": ", 2);
      return name.startsWith("Sec-") ? [name.toLowerCase(), value] : [];
    });
    writeHead?.(headers);
    if (socket !== undefined) Object.defineProperty(socket, "write", { value: () => true, configurable: true });
  }
}
