import { answerRouted, routedCallsAskedFor } from "./routed-calls.ts";
import type { ServiceSockets } from "./service-sockets.ts";
import { answerWebSocket, type WebSocketHandler } from "./web-socket.ts";

/**
 * What a function is: a module whose default export answers requests. A Hono application is one unchanged.
 *
 *   export default { fetch: (request: Request) => new Response("hello") };
 */
export interface FunctionModule {
  fetch(request: Request, sockets: ServiceSockets): Response | Promise<Response>;
  /** What it does with WebSockets; without it a request for one is refused. */
  readonly websocket?: WebSocketHandler;
}

/**
 * The function of a module, or an error that says what the module should have exported.
 * @param isRouted its own routes answer for WebSockets
 */
export function functionOf(exported: unknown, isRouted = routedCallsAskedFor()): FunctionModule {
  const candidate = typeof exported === "object" || typeof exported === "function" ? exported : undefined;
  const fetch: unknown = candidate === null || candidate === undefined ? undefined : Reflect.get(candidate, "fetch");
  if (typeof fetch !== "function") {
    throw new TypeError(
      "the module must have a default export with a fetch function: export default { fetch(request) { … } }",
    );
  }
  const fn = candidate as FunctionModule;
  const { websocket } = fn;
  if (websocket === undefined && isRouted) return { fetch: (request, sockets) => answerRouted(fn, request, sockets) };
  if (websocket === undefined) return fn;
  if (typeof websocket?.message !== "function") {
    throw new TypeError("websocket must have a message function: websocket: { message(ws, data) { … } }");
  }
  return { fetch: (request, sockets) => answerWebSocket(websocket, request) ?? fn.fetch(request, sockets) };
}
