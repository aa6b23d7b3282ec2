import type { Socket } from "node:net";

/** Bytes both ways, as fast as the slower side; each side's end is the other's. */
export function join(socket: Socket, connection: Socket): void {
  socket.pipe(connection);
  connection.pipe(socket);
  socket.once("close", () => connection.destroy());
  connection.once("close", () => socket.destroySoon());
  connection.once("error", () => socket.destroy());
}
