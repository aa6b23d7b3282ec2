import { type WebSocketAction, webSocketHeaders, webSocketType } from "../wire/web-socket-call.ts";
import { dataFor, lineOf, type Sendable } from "./sendable.ts";

/**
 * One client's WebSocket, as a function sees it during one call. The gateway holds the connection, so that nothing of the
 * function need be there between calls: what is to be remembered is `data`, or kept elsewhere.
 */
export interface ServerWebSocket<Data = unknown> {
  /** The same in all calls of one connection, and no other's. */
  readonly id: string;
  /** The handshake: its URL and headers. */
  readonly request: Request;
  /** Kept by the gateway from one call to the next: whatever JSON can say, in at most 2 KiB. At `open` undefined. */
  data: Data;
  send(data: Sendable): void;
  /** To another connection of this service; nothing happens when it is gone. */
  sendTo(id: string, data: Sendable): void;
  /** From now on hears what is published there. */
  subscribe(topic: string): void;
  unsubscribe(topic: string): void;
  /** To all others of this service that have subscribed; of those that another gateway holds, as well as that goes. */
  publish(topic: string, data: Sendable): void;
  /** @param code 1000 when not given; RFC 6455, 7.4 says which there are, and 3000 to 4999 are an application's own */
  close(code?: number, reason?: string): void;
}

/** What a function does with WebSockets: `export default { fetch, websocket: { message(ws, data) { … } } }`. */
export interface WebSocketHandler<Data = unknown> {
  /**
   * A client asks to open one. A Response refuses it, a text is the subprotocol of those that the client offers in
   * `Sec-WebSocket-Protocol`; anything else agrees.
   */
  open?(ws: ServerWebSocket<Data>): Response | string | void | Promise<Response | string | void>;
  /** Calls of one connection never overlap. What is sent leaves while the call goes on. */
  message(ws: ServerWebSocket<Data>, data: string | Uint8Array): void | Promise<void>;
  /** The client has gone, or has been closed; 1006: without a word. */
  close?(ws: ServerWebSocket<Data>, code: number, reason: string): void | Promise<void>;
}

/** The answer to a call that a gateway makes for a WebSocket; undefined: the request is none. */
export function answerWebSocket(handler: WebSocketHandler, request: Request): Promise<Response> | undefined {
  const event = request.headers.get(webSocketHeaders.event);
  if (event === "open") return answerOpen(handler, request);
  if (event === "message") return answerEvent(request, async (ws) => handler.message(ws, await dataOf(request)));
  if (event !== "close") return undefined;
  const code = Number(request.headers.get(webSocketHeaders.code) ?? 1005);
  return answerEvent(request, async (ws) => handler.close?.(ws, code, await request.text()));
}

async function answerOpen(handler: WebSocketHandler, request: Request): Promise<Response> {
  const call = new SocketCall(request);
  const outcome = await handler.open?.(call);
  if (outcome instanceof Response) return outcome;
  const events = handler.close === undefined ? (["message"] as const) : (["message", "close"] as const);
  const accept = { events, ...(typeof outcome === "string" ? { protocol: outcome } : {}) };
  return answer(`${lineOf({ accept })}${call.finish()}`);
}

/** What is said before the function waits for something leaves at once, and the rest as it is said. */
async function answerEvent(request: Request, run: (ws: ServerWebSocket) => Promise<void>): Promise<Response> {
  const call = new SocketCall(request);
  const running = run(call).then(
    () => void (call.outcome = {}),
    (error: unknown) => void (call.outcome = { error }),
  );
  // A function that waits for nothing is done after a few turns, and then its answer is one piece.
  for (let turn = 0; turn < turnsMax && call.outcome === undefined; turn++) await Promise.resolve();
  const { outcome } = call;
  if (outcome === undefined) return answer(call.stream(running));
  if ("error" in outcome) throw outcome.error;
  return answer(call.finish());
}

// An async function that awaits nothing, and the reading of a body that is there, take fewer.
const turnsMax = 16;

const answer = (body: string | ReadableStream<Uint8Array<ArrayBuffer>>): Response =>
  new Response(body, { headers: { "content-type": webSocketType } });

async function dataOf(request: Request): Promise<string | Uint8Array> {
  const isText = request.headers.get("content-type")?.startsWith("text/") === true;
  return isText ? request.text() : new Uint8Array(await request.arrayBuffer());
}

class SocketCall implements ServerWebSocket {
  readonly id: string;
  readonly request: Request;
  data: unknown;
  /** How the function has ended; undefined: it goes on. */
  outcome: { readonly error?: unknown } | undefined;
  /** `data` as it came. */
  readonly #given: string | undefined;
  #lines = "";
  #write: ((lines: string) => void) | undefined;

  constructor(request: Request) {
    const state = request.headers.get(webSocketHeaders.state);
    this.id = request.headers.get(webSocketHeaders.id) ?? "";
    this.request = request;
    this.data = state === null ? undefined : JSON.parse(state);
    this.#given = JSON.stringify(this.data);
  }

  send(data: Sendable): void {
    this.#say({ send: dataFor(data) });
  }

  sendTo(id: string, data: Sendable): void {
    this.#say({ send: dataFor(data), to: id });
  }

  publish(topic: string, data: Sendable): void {
    this.#say({ send: dataFor(data), topic });
  }

  subscribe(topic: string): void {
    this.#say({ subscribe: topic });
  }

  unsubscribe(topic: string): void {
    this.#say({ unsubscribe: topic });
  }

  close(code = 1000, reason = ""): void {
    this.#say({ close: code, reason });
  }

  /** All that was said, and `data` where it has changed. */
  finish(): string {
    const isSame = JSON.stringify(this.data) === this.#given;
    const lines = isSame ? this.#lines : `${this.#lines}${lineOf({ state: this.data ?? null })}`;
    this.#lines = "";
    return lines;
  }

  /** The same as it is said, until `running` is over. */
  stream(running: Promise<void>): ReadableStream<Uint8Array<ArrayBuffer>> {
    const encoder = new TextEncoder();
    return new ReadableStream({
      start: (controller) => {
        this.#write = (lines) => {
          if (lines !== "") controller.enqueue(encoder.encode(lines));
        };
        this.#write(this.#lines);
        this.#lines = "";
        void running.then(() => {
          if (this.outcome !== undefined && "error" in this.outcome) return controller.error(this.outcome.error);
          this.#write?.(this.finish());
          controller.close();
        });
      },
    });
  }

  #say(action: WebSocketAction): void {
    if (this.#write === undefined) this.#lines += lineOf(action);
    else this.#write(lineOf(action));
  }
}
