import { connect, type Socket } from "node:net";

export interface RawExchange {
  /** Everything that the server sent until it closed, or until the time was over. */
  readonly text: string;
  /** Of the first answer; 0 when there was none. */
  readonly status: number;
  /** Whether the server closed the connection. */
  readonly closed: boolean;
  /** Bytes that could be sent before the end. */
  readonly bytesSent: number;
}

export interface RawOptions {
  readonly port: number;
  /** What is sent, piece by piece, as fast as it is taken. */
  readonly pieces: Iterable<string | Uint8Array>;
  /** Half-close after the last piece: the client has nothing more to say. */
  readonly endAfter?: boolean;
  /** The connection is broken off (RST) after the last piece and this much time. */
  readonly leaveAfterMs?: number;
  /** The connection is broken off (RST) when this is so. */
  readonly leaveWhen?: Promise<unknown>;
  /** How long the server is listened to. */
  readonly timeoutMs?: number;
}

/** Speaks to a server byte by byte, without a client's manners. */
export function exchangeRaw(options: RawOptions): Promise<RawExchange> {
  return new Promise((resolve) => {
    const socket: Socket = connect({ port: options.port, host: "127.0.0.1", allowHalfOpen: true });
    let text = "";
    let over = false;
    const finish = (closed: boolean): void => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0);
      resolve({ text, status, closed, bytesSent: socket.bytesWritten });
      socket.destroy();
    };
    const timer = setTimeout(() => finish(false), options.timeoutMs ?? 5_000);
    socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
    void options.leaveWhen?.then(() => socket.resetAndDestroy());
    socket.once("end", () => finish(true));
    socket.once("close", () => finish(true));
    // A reset is an end, too.
    socket.on("error", () => undefined);
    socket.once("connect", () => void send(socket, options, () => over));
  });
}

async function send(socket: Socket, options: RawOptions, isOver: () => boolean): Promise<void> {
  for (const piece of options.pieces) {
    if (isOver() || socket.destroyed) return;
    if (!socket.write(piece)) await drained(socket);
    // A source without an end must not keep the loop from what arrives.
    else await new Promise((resolve) => setImmediate(resolve));
  }
  if (options.endAfter === true) socket.end();
  if (options.leaveAfterMs !== undefined) setTimeout(() => socket.resetAndDestroy(), options.leaveAfterMs);
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      socket.removeListener("drain", settle);
      socket.removeListener("close", settle);
      resolve();
    };
    socket.once("drain", settle);
    socket.once("close", settle);
  });
}
