/**
 * What a gateway and a function say to each other of a WebSocket that the gateway holds. Each event is an HTTP request to the
 * path of the handshake, with the handshake's headers and these; no client can send them, as gateways take `x-shallop-…`
 * out of what clients say. A message is the request's body, and so is the reason of a close.
 *
 * The answer is 200 with `webSocketType`: a line of JSON for each thing to do, carried out as the lines come.
 */
export const webSocketHeaders = {
  /** `open` (a GET), `message` or `close` (POST). */
  event: "x-shallop-websocket",
  id: "x-shallop-websocket-id",
  /** What the function last gave as `state`: JSON in ASCII. */
  state: "x-shallop-websocket-state",
  /** Of a close (RFC 6455, 7.4). */
  code: "x-shallop-websocket-code",
  /**
   * Of any request to a function: somebody may hear what it says to its service's WebSockets. Then its answer may begin with lines
   * of `{ send, to }` and `{ send, topic }`, which no client gets to see.
   */
  heard: "x-shallop-websocket-heard",
  /** Of such an answer: how many bytes those lines are, and the status for the client where that allows no body: `120`, `120 204`. */
  said: "x-shallop-websocket-said",
} as const;

export const webSocketType = "application/vnd.shallop.websocket";

/** The JSON of `state` in ASCII, as it travels. */
export const webSocketStateBytesMax = 2048;

/** Text, or bytes. */
export type WebSocketData = string | { readonly base64: string };

/** One line of an answer. */
export type WebSocketAction =
  /** Only of the answer to `open`: the subprotocol, and whether the function is to hear of messages and of the close. */
  | { readonly accept: { readonly protocol?: string; readonly events?: readonly ("message" | "close")[] } }
  | { readonly send: WebSocketData }
  /** To another connection of the same service that this gateway holds. */
  | { readonly send: WebSocketData; readonly to: string }
  /** To all that have subscribed, but for this one. */
  | { readonly send: WebSocketData; readonly topic: string }
  | { readonly subscribe: string }
  | { readonly unsubscribe: string }
  | { readonly state: unknown }
  | { readonly close: number; readonly reason?: string };
