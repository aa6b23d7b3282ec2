import { createServer, type Server, type Socket } from "node:net";

/** A server whose connections wait until somebody takes them. */
export class PodListener {
  readonly server: Server = createServer();
  readonly #early: Socket[] = [];
  readonly #keep = (socket: Socket): void => {
    // It may fail while nobody has it: that is not this process's end.
    socket.on("error", ignored);
    this.#early.push(socket);
  };

  constructor() {
    this.server.on("connection", this.#keep);
  }

  /** Takes no more connections, and ends those that nobody has taken. */
  close(): void {
    this.server.close();
    for (const socket of this.#early.splice(0)) socket.destroy();
  }

  /** Gives `accept` the connections that have come and are there still, and those that will. */
  accept(accept: (socket: Socket) => void): void {
    this.server.off("connection", this.#keep).on("connection", accept);
    for (const socket of this.#early.splice(0)) {
      if (socket.destroyed) continue;
      socket.off("error", ignored);
      accept(socket);
    }
  }
}

const ignored = (): void => undefined;
