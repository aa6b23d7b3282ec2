import type { Socket } from "node:net";

export interface JsonLinesHandlers {
  /** A parsed line, not checked further: both ends are programs of ours, and the socket is the owner's alone. */
  message(value: unknown): void;
  closed(): void;
}

/** JSON values over a socket, one a line. */
export class JsonLines {
  readonly #socket: Socket;
  #parts: string[] = [];
  #chars = 0;

  constructor(socket: Socket, lineCharsMax: number, handlers: JsonLinesHandlers) {
    this.#socket = socket;
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => {
      let start = 0;
      for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", start)) {
        const line = this.#parts.join("") + text.slice(start, end);
        this.#parts = [];
        this.#chars = 0;
        start = end + 1;
        if (!this.#deliver(line, handlers)) return;
      }
      if (start < text.length) this.#parts.push(text.slice(start));
      this.#chars += text.length - start;
      if (this.#chars > lineCharsMax) socket.destroy();
    });
    // An error is followed by close, which says all that matters.
    socket.on("error", () => undefined);
    socket.once("close", () => handlers.closed());
  }

  /** Bytes that the peer has not taken yet. */
  get waitingBytes(): number {
    return this.#socket.writableLength;
  }

  /** @returns false when the peer is slow and the caller should send less. */
  send(value: unknown): boolean {
    if (this.#socket.destroyed) return true;
    return this.#socket.write(`${JSON.stringify(value)}\n`);
  }

  /** Resolves when everything sent so far is with the kernel. */
  flush(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket.destroyed) resolve();
      else this.#socket.write("", () => resolve());
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #deliver(line: string, handlers: JsonLinesHandlers): boolean {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      this.#socket.destroy();
      return false;
    }
    handlers.message(value);
    return !this.#socket.destroyed;
  }
}
