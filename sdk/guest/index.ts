export type { FunctionModule } from "./function.ts";
export type { Sendable, ServerWebSocket, WebSocketHandler } from "./web-socket.ts";
