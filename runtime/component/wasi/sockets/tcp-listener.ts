import { type BoundSocket, createServer, type Server, type Socket } from "node:net";
import type { GuestContext } from "../guest-context.ts";
import { type NetworkErrorCode, networkErrorOf } from "./network-error.ts";
import type { SocketSlot } from "./socket-slot.ts";

/** A socket that listens. Connections wait here, unread, until the guest accepts them. */
export class TcpListener {
  readonly #server: Server;
  readonly #waiting: Socket[] = [];
  readonly #undoEnd: () => void;
  readonly #slot: SocketSlot;
  #state: "starting" | "listening" | "failed" = "starting";
  #failure: NetworkErrorCode | undefined;

  /** Takes `bound` over. Calls `changed` when it listens, has failed, or has a connection. */
  constructor(
    context: GuestContext,
    bound: BoundSocket,
    options: { readonly backlog: number; readonly slot: SocketSlot; readonly changed: () => void },
  ) {
    const { backlog, slot, changed } = options;
    this.#slot = slot;
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
    this.#server.on("connection", (socket) => {
      // What would wait beyond the backlog is refused; a connection that breaks while it waits is forgotten.
      if (this.#waiting.length >= backlog) {
        socket.destroy();
        return;
      }
      socket.once("error", () => undefined);
      socket.once("close", () => this.#forget(socket));
      this.#waiting.push(socket);
      changed();
    });
    this.#server.once("listening", () => {
      this.#state = "listening";
      changed();
    });
    this.#server.once("error", (error) => {
      this.#state = "failed";
      this.#failure = networkErrorOf(error);
      slot.release();
      changed();
    });
    this.#undoEnd = context.onEnd(() => this.close());
    this.#server.listen(bound, backlog);
  }

  get state(): "starting" | "listening" | "failed" {
    return this.#state;
  }

  get failure(): NetworkErrorCode {
    return this.#failure ?? "unknown";
  }

  get hasConnection(): boolean {
    return this.#waiting.length > 0;
  }

  accept(): Socket | undefined {
    return this.#waiting.shift();
  }

  close(): void {
    this.#undoEnd();
    // The server's own `close` event waits for the connections that were accepted.
    this.#server.close();
    this.#slot.release();
    for (const socket of this.#waiting.splice(0)) socket.destroy();
  }

  #forget(socket: Socket): void {
    const index = this.#waiting.indexOf(socket);
    if (index !== -1) this.#waiting.splice(index, 1);
  }
}
