import { webSocketHeaders } from "../wire/web-socket-call.ts";
import type { FunctionModule } from "./function.ts";
import type { ServiceSockets } from "./service-sockets.ts";

// Calls of WebSockets, as a function with routes of its own gets them: all by the route of the handshake, which is a GET, whose
// handler then takes the call itself from here. A router's middleware may copy the request, but its headers stay.

let isAsked = false;
/** Calls under way, by connection: those of one do not overlap. */
const callById = new Map<string, Request>();

/** The function has routes for WebSockets. Said while its modules are loaded. */
export function askForRoutedCalls(): void {
  isAsked = true;
}

export const routedCallsAskedFor = (): boolean => isAsked;

/** Answers a request, and a call of a WebSocket by the route of its handshake. */
export async function answerRouted(fn: FunctionModule, request: Request, sockets: ServiceSockets): Promise<Response> {
  const event = request.headers.get(webSocketHeaders.event);
  if (event !== "message" && event !== "close") return fn.fetch(request, sockets);
  const id = request.headers.get(webSocketHeaders.id) ?? "";
  callById.set(id, request);
  try {
    return await fn.fetch(new Request(request.url, { headers: request.headers }), sockets);
  } finally {
    callById.delete(id);
  }
}

/** The call that a handler was given as `request`, with its body; undefined: it is no call of a WebSocket. */
export function routedCall(request: Request): Request | undefined {
  const event = request.headers.get(webSocketHeaders.event);
  if (event === null) return undefined;
  return event === "open" ? request : callById.get(request.headers.get(webSocketHeaders.id) ?? "");
}
