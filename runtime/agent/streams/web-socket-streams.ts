import type { IncomingMessage } from "node:http";
import { type Duplex, Readable, Writable } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import {
  type CommandEnd,
  commandStatus,
  type CommandStreams,
  parseTerminalSize,
  type StreamOptions,
} from "./command-streams.ts";
import type { TerminalSize } from "../../pod/container-process.ts";

/** `v5` tells when standard input ends; `channel.k8s.io`, the first, tells a failure in words instead of a Status. */
const protocols = ["v5.channel.k8s.io", "v4.channel.k8s.io", "channel.k8s.io"] as const;
type Protocol = (typeof protocols)[number];

const noChannel = -1;
const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;
// kubectl sends 32 KiB at most.
const messageBytesMax = 1 << 20;

export const asksForWebSocket = (request: IncomingMessage): boolean =>
  request.headers.upgrade?.toLowerCase() === "websocket";

/** Answers the handshake with the best protocol that both know; the first when the client names none. */
export function acceptCommandWebSocket(
  request: IncomingMessage,
  socket: Duplex,
  first: Buffer,
  options: StreamOptions,
): Promise<CommandStreams> {
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: messageBytesMax,
    perMessageDeflate: false,
    handleProtocols: (offered) => protocols.find((protocol) => offered.has(protocol)) ?? false,
  });
  return new Promise((resolve) => {
    server.handleUpgrade(request, socket, first, (webSocket) => {
      const chosen = protocols.find((protocol) => protocol === webSocket.protocol) ?? "channel.k8s.io";
      resolve(new WebSocketStreams(webSocket, chosen, options));
    });
  });
}

class WebSocketStreams implements CommandStreams {
  readonly stdin: Readable | undefined;
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
  readonly #webSocket: WebSocket;
  readonly #protocol: Protocol;
  readonly #gone = new AbortController();
  #resized: (size: TerminalSize) => void = () => undefined;
  #size: TerminalSize | undefined;
  #isOver = false;

  constructor(webSocket: WebSocket, protocol: Protocol, options: StreamOptions) {
    this.#webSocket = webSocket;
    this.#protocol = protocol;
    this.stdin = options.stdin ? new Readable({ read: () => webSocket.resume() }) : undefined;
    this.stdout = options.stdout ? this.#writable(channel.stdout) : undefined;
    this.stderr = options.stderr ? this.#writable(channel.stderr) : undefined;
    webSocket.on("message", (data: Buffer) => this.#take(data));
    webSocket.on("error", () => webSocket.terminate());
    webSocket.once("close", () => {
      this.stdin?.push(null);
      this.#gone.abort(new Error("the client has gone"));
    });
    // As Kubernetes does: some clients wait for a first message.
    const written = options.stdout ? channel.stdout : options.stderr ? channel.stderr : channel.error;
    this.#send(written, Buffer.alloc(0), () => undefined);
  }

  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  onResize(resized: (size: TerminalSize) => void): void {
    this.#resized = resized;
    if (this.#size !== undefined) resized(this.#size);
  }

  async finish(end: CommandEnd): Promise<void> {
    const plain = end.kind === "failed" ? end.message : end.exitCode === 0 ? "" : `exit code ${String(end.exitCode)}`;
    const text = this.#protocol === "channel.k8s.io" ? plain : JSON.stringify(commandStatus(end));
    await new Promise<void>((resolve) => this.#send(channel.error, Buffer.from(text), resolve));
    this.#webSocket.close(1000);
    // A socket that is closed with something of the client's unread takes along what was said last. ws waits for 30 s.
    this.#isOver = true;
    this.#webSocket.resume();
    const { signal } = this.#gone;
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  }

  [Symbol.dispose](): void {
    this.#webSocket.terminate();
  }

  #take(message: Buffer): void {
    if (this.#isOver) return;
    const body = message.subarray(1);
    switch (message.at(0) ?? noChannel) {
      case channel.stdin:
        if (body.length > 0 && this.stdin?.push(body) === false) this.#webSocket.pause();
        break;
      case channel.resize: {
        const size = parseTerminalSize(body.toString("utf8"));
        if (size === undefined) break;
        this.#size = size;
        this.#resized(size);
        break;
      }
      case channel.close:
        if (body[0] === channel.stdin) this.stdin?.push(null);
        break;
      default:
        // Of no channel that a client may write to.
        break;
    }
  }

  #writable(to: number): Writable {
    return new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        this.#send(to, chunk, done);
      },
    });
  }

  #send(to: number, body: Buffer, done: () => void): void {
    // Who cannot be reached has gone, which is told by `gone`.
    this.#webSocket.send(Buffer.concat([Buffer.of(to), body]), () => done());
  }
}
