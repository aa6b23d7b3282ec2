export type { FunctionModule } from "./function.ts";
export type { Sendable } from "./sendable.ts";
export type { ServiceSockets } from "./service-sockets.ts";
export type { ServerWebSocket, WebSocketHandler } from "./web-socket.ts";
