import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { assert } from "@shallop/sdk/internal";

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** Answers one request. */
export type FakeHandler = (request: SeenRequest, response: ServerResponse) => void;

/** A registry that does what a test tells it: a handler for `METHOD /path`, called with each request for it. */
export class FakeRegistry implements AsyncDisposable {
  readonly requests: SeenRequest[] = [];
  readonly #handlers = new Map<string, FakeHandler>();
  readonly #server = createServer((incoming, response) => void this.#serve(incoming, response));
  host = "";

  static async start(): Promise<FakeRegistry> {
    const fake = new FakeRegistry();
    await new Promise<void>((resolve) => fake.#server.listen(0, "127.0.0.1", resolve));
    const address = fake.#server.address();
    assert(address !== null && typeof address === "object");
    fake.host = `127.0.0.1:${address.port}`;
    return fake;
  }

  get url(): string {
    return `http://${this.host}`;
  }

  on(route: string, handler: FakeHandler): void {
    this.#handlers.set(route, handler);
  }

  /** Requests of a route, in order. */
  seen(route: string): readonly SeenRequest[] {
    return this.requests.filter((request) => `${request.method} ${request.path.split("?")[0]}` === route);
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = "";
    for await (const chunk of incoming) body += String(chunk);
    const seen = { method: incoming.method ?? "", path: incoming.url ?? "", headers: incoming.headers, body };
    this.requests.push(seen);
    const handler = this.#handlers.get(`${seen.method} ${seen.path.split("?")[0]}`);
    if (handler === undefined) response.writeHead(404).end();
    else handler(seen, response);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
