import { defineWebSocketHelper, type UpgradeWebSocket, WSContext, type WSEvents, type WSReadyState } from "hono/ws";
import { askForRoutedCalls, routedCall } from "./routed-calls.ts";
import { answerWebSocket, type ServerWebSocket } from "./web-socket.ts";

export interface UpgradeOptions {
  /** The subprotocol to agree with, of those that the client offers. */
  readonly protocol?: string;
}

askForRoutedCalls();

/**
 * Hono's `upgradeWebSocket` for this platform. The gateway holds the connection, so each event is a request of its own by the route of
 * the handshake: middleware and the function that makes the handlers run for each, and what is to be remembered is `ws.raw.data`,
 * not a variable beside them. `ws.raw` also subscribes and publishes. There is no `onError`: what breaks a connection is
 * told by `onClose`, with 1006. A request that is no handshake goes on to the next handler.
 */
export const upgradeWebSocket: UpgradeWebSocket<ServerWebSocket, UpgradeOptions> = defineWebSocketHelper(
  (context, events, options) => {
    const call = routedCall(context.req.raw);
    return call === undefined ? undefined : answerCall(call, events, options);
  },
);

function answerCall(
  call: Request,
  { onOpen, onMessage, onClose }: WSEvents<ServerWebSocket>,
  { protocol }: UpgradeOptions = {},
): Promise<Response> | undefined {
  return answerWebSocket(
    {
      open: (socket) => {
        onOpen?.(new Event("open"), contextOf(socket, 1, protocol));
        return protocol;
      },
      message: async (socket, data) => {
        const content = typeof data === "string" ? data : Uint8Array.from(data).buffer;
        const event = Object.assign(new Event("message"), { data: content }) as unknown as MessageEvent;
        // Hono's types say that nobody waits for it; here what an answer waits for is part of it.
        await (onMessage?.(event, contextOf(socket, 1, protocol)) as unknown);
      },
      ...(onClose === undefined
        ? {}
        : {
            close: async (socket, code, reason) => {
              const event = Object.assign(new Event("close"), { code, reason, wasClean: code !== 1006 });
              await (onClose(event, contextOf(socket, 3, protocol)) as unknown);
            },
          }),
    },
    call,
  );
}

function contextOf(socket: ServerWebSocket, state: WSReadyState, protocol = ""): WSContext<ServerWebSocket> {
  let readyState = state;
  return new WSContext({
    raw: socket,
    url: socket.request.url,
    protocol,
    get readyState() {
      return readyState;
    },
    send: (data) => socket.send(data),
    close: (code, reason) => {
      readyState = 2;
      socket.close(code, reason);
    },
  });
}
