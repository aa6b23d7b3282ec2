import { createServer, type Server, type Socket } from "node:net";

/** A server whose connections wait until somebody takes them. */
export class PodListener {
  readonly server: Server = createServer();
  readonly #early: Socket[] = [];
  readonly #keep = (socket: Socket): void => void this.#early.push(socket);

  constructor() {
    this.server.on("connection", this.#keep);
  }

  /** Gives `accept` the connections that have come, and those that will. */
  accept(accept: (socket: Socket) => void): void {
    this.server.off("connection", this.#keep).on("connection", accept);
    for (const socket of this.#early.splice(0)) accept(socket);
  }
}
