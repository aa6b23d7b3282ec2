import { type WebSocketAction, webSocketHeaders } from "../wire/web-socket-call.ts";
import { dataFor, lineOf, type Sendable } from "./sendable.ts";

/** The WebSockets of a function's service, as `fetch` reaches them: its second argument, and in Hono `c.env`. */
export interface ServiceSockets {
  /**
   * To all that have subscribed, once `fetch` has answered. Nothing happens for a request that came by no gateway, and for HEAD.
   * @throws TypeError when `fetch` has answered already
   */
  publish(topic: string, data: Sendable): void;
  /** To one connection. @throws as `publish` */
  sendTo(id: string, data: Sendable): void;
}

/** Gathers what a function says to its service's WebSockets while it answers a request, and puts it before its answer. */
export class RequestSockets implements ServiceSockets {
  readonly #request: Request;
  #lines = "";
  #hasAnswered = false;

  constructor(request: Request) {
    this.#request = request;
  }

  publish(topic: string, data: Sendable): void {
    this.#say({ send: dataFor(data), topic });
  }

  sendTo(id: string, data: Sendable): void {
    this.#say({ send: dataFor(data), to: id });
  }

  /** The function has answered. @returns the answer as the gateway is to read it */
  answered(response: Response): Response {
    this.#hasAnswered = true;
    return this.#lines === "" || !this.#isHeard() ? response : prefixed(response, this.#lines);
  }

  #isHeard(): boolean {
    const { method, headers } = this.#request;
    return method !== "HEAD" && headers.has(webSocketHeaders.heard);
  }

  #say(action: WebSocketAction): void {
    if (this.#hasAnswered)
      throw new TypeError("fetch has answered: what it says to WebSockets comes before its answer");
    this.#lines += lineOf(action);
  }
}

const nullBodyStatuses: readonly number[] = [204, 205, 304];

function prefixed(response: Response, lines: string): Response {
  const prefix = new TextEncoder().encode(lines);
  const headers = new Headers(response.headers);
  const length = headers.get("content-length");
  if (length !== null) headers.set("content-length", String(Number(length) + prefix.length));
  // An answer that has no body can have none before it: the gateway gives the client its status.
  const isEmpty = nullBodyStatuses.includes(response.status);
  headers.set(webSocketHeaders.said, isEmpty ? `${prefix.length} ${response.status}` : String(prefix.length));
  const body = response.body === null ? prefix : joined(prefix, response.body);
  return new Response(body, { status: isEmpty ? 200 : response.status, headers });
}

function joined(
  prefix: Uint8Array<ArrayBuffer>,
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader();
  return new ReadableStream({
    start: (controller) => controller.enqueue(prefix),
    pull: async (controller) => {
      const { done, value } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
}
