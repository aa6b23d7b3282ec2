import { answerWebSocket, type WebSocketHandler } from "./web-socket.ts";

/**
 * What a function is: a module whose default export answers requests. A Hono application is one unchanged.
 *
 *   export default { fetch: (request: Request) => new Response("hello") };
 */
export interface FunctionModule {
  fetch(request: Request): Response | Promise<Response>;
  /** What it does with WebSockets; without it a request for one is refused. */
  readonly websocket?: WebSocketHandler;
}

/** The function of a module, or an error that says what the module should have exported. */
export function functionOf(exported: unknown): FunctionModule {
  const candidate = typeof exported === "object" || typeof exported === "function" ? exported : undefined;
  const fetch: unknown = candidate === null || candidate === undefined ? undefined : Reflect.get(candidate, "fetch");
  if (typeof fetch !== "function") {
    throw new TypeError(
      "the module must have a default export with a fetch function: export default { fetch(request) { … } }",
    );
  }
  const fn = candidate as FunctionModule;
  const { websocket } = fn;
  if (websocket === undefined) return fn;
  if (typeof websocket?.message !== "function") {
    throw new TypeError("websocket must have a message function: websocket: { message(ws, data) { … } }");
  }
  return { fetch: (request) => answerWebSocket(websocket, request) ?? fn.fetch(request) };
}
