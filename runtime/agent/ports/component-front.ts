import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { describeError } from "@shallop/sdk/internal";
import {
  type ResponseHead,
  type StreamHandlers,
  WireConnection,
  type WireFault,
  type WireStream,
} from "@shallop/sdk/wire";

export interface ComponentFrontSettings {
  /** Connects to the pod's socket. */
  readonly dial: () => Promise<Duplex>;
  /** An answer that has not begun by then is of no use to anybody. */
  readonly requestTimeoutMs: number;
}

// RFC 9110, 7.6.1, and the older ones that are still met: they are this connection's, not the request's.
const hopByHop = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
  "host",
]);
// Of the node's statuses, the two that a gateway in front of nothing needs (RFC 9110, 15.6.3 and 15.6.5).
const badGateway = 502;
const gatewayTimeout = 504;

/** HTTP/1.1 for a component: it has no port, so its node's own stands for one. */
export class ComponentFront implements Disposable {
  readonly #settings: ComponentFrontSettings;
  readonly #server: Server;
  #connection: Promise<WireConnection> | undefined;

  constructor(settings: ComponentFrontSettings) {
    this.#settings = settings;
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  /** Serves requests of a client to the connection's end. */
  serve(client: Duplex): void {
    this.#server.emit("connection", client);
    client.resume();
  }

  [Symbol.dispose](): void {
    void this.#connection?.then((connection) => connection.destroy()).catch(() => undefined);
    this.#connection = undefined;
    this.#server.closeAllConnections();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on("error", () => undefined);
    try {
      const connection = await this.#connected();
      const { stream, handlers } = this.#opened(connection, request, response);
      passBody(request, stream, handlers);
    } catch (error) {
      answerFault(response, badGateway, describeError(error));
    }
  }

  /** That of before as long as it takes requests. */
  async #connected(): Promise<WireConnection> {
    const before = await this.#connection?.catch(() => undefined);
    if (before?.accepting === true) return before;
    before?.close();
    return (this.#connection = this.#settings.dial().then(
      (socket) =>
        new Promise<WireConnection>((resolve, reject) => {
          const connection = new WireConnection(socket, {
            greeted: () => resolve(connection),
            closed: (fault) => reject(fault ?? new Error("the pod closed the connection")),
          });
        }),
    ));
  }

  #opened(
    connection: WireConnection,
    request: IncomingMessage,
    response: ServerResponse,
  ): { readonly stream: WireStream; readonly handlers: { writable: () => void } } {
    const body = { writable: (): void => undefined };
    const handlers: StreamHandlers = {
      head: (head) => answerHead(response, head),
      data: (chunk) => {
        if (response.write(chunk)) stream.consumed(chunk.length);
        else response.once("drain", () => stream.consumed(chunk.length));
      },
      end: () => response.end(),
      failed: (fault) => failed(response, fault),
      writable: () => body.writable(),
    };
    const stream = connection.request(
      {
        method: request.method ?? "GET",
        target: request.url ?? "/",
        scheme: "http",
        authority: request.headers.host ?? "localhost",
        headers: endToEnd(request.rawHeaders),
        requestId: randomUUID(),
        timeoutMs: this.#settings.requestTimeoutMs,
      },
      handlers,
    );
    response.once("close", () => {
      if (!response.writableFinished) stream.abort("CANCELLED", "the client left");
    });
    return { stream, handlers: body };
  }
}

function passBody(request: IncomingMessage, stream: WireStream, handlers: { writable: () => void }): void {
  handlers.writable = () => request.resume();
  request.on("data", (chunk: Buffer) => {
    if (!stream.closed && !stream.write(chunk)) request.pause();
  });
  request.once("end", () => stream.end());
  request.on("error", () => stream.abort("CANCELLED", "the client left"));
}

function answerHead(response: ServerResponse, { status, headers }: ResponseHead): void {
  response.writeHead(status, [...endToEnd(headers)]);
  response.flushHeaders();
}

function failed(response: ServerResponse, fault: WireFault): void {
  answerFault(
    response,
    fault.code === "GUEST_TIMEOUT" ? gatewayTimeout : badGateway,
    `${fault.code}: ${fault.message}`,
  );
}

/** An answer that has begun cannot be taken back: it is cut off. */
function answerFault(response: ServerResponse, status: number, message: string): void {
  if (response.headersSent) return void response.destroy();
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(`${message}\n`);
}

/** Flat names and values, without those that are of one connection. */
function endToEnd(headers: readonly string[]): readonly string[] {
  const kept: string[] = [];
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const [name = "", value = ""] = [headers[index], headers[index + 1]];
    if (!hopByHop.has(name.toLowerCase())) kept.push(name.toLowerCase(), value);
  }
  return kept;
}
