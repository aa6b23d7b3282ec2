import type { KeepSocketMessage } from "../internal/child.ts";

/** What Node sends for a server: the libuv handle. Nothing of this process reads it, so that it accepts no connection. */
interface SocketHandle {
  readonly fd: number;
  close(): void;
}

/**
 * The listening sockets of a program, kept here while its processes come and go: who connects in between waits in the
 * kernel's queue. The first process makes them, and each later one finds them open.
 */
export class KeptSockets {
  readonly #handleByName = new Map<string, SocketHandle>();

  get isEmpty(): boolean {
    return this.#handleByName.size === 0;
  }

  /** Takes a socket, if the message brings one. */
  take(message: unknown, handle: unknown): void {
    const given = handle as SocketHandle | undefined;
    if (!isKeepSocket(message) || given === undefined) return;
    this.#handleByName.get(message.name)?.close();
    this.#handleByName.set(message.name, given);
  }

  /** Descriptors for a new process, in the order of `variable`. */
  get descriptors(): readonly number[] {
    return [...this.#handleByName.values()].map(({ fd }) => fd);
  }

  /** What the process is told, when its first such descriptor is `first`. */
  variable(first: number): string {
    return [...this.#handleByName.keys()].map((name, index) => `${name}=${first + index}`).join(",");
  }

  close(): void {
    for (const handle of this.#handleByName.values()) handle.close();
    this.#handleByName.clear();
  }
}

function isKeepSocket(message: unknown): message is KeepSocketMessage {
  return typeof message === "object" && message !== null && "type" in message && message.type === "keep-socket";
}
