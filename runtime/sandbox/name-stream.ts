import { connect, type Socket } from "node:net";

export interface NameStream {
  /** The answer to a message that is ours to answer; undefined: it is the machine's server's. */
  readonly answer: (message: Uint8Array) => Promise<Uint8Array | undefined>;
  /** Where the machine's server is. */
  readonly upstream: { readonly host: string; readonly port: number } | undefined;
}

const lengthBytes = 2;

/**
 * Questions over TCP, each with its length before it (RFC 1035, 4.2.2). Those that are ours are answered here; with the
 * first that is not the connection becomes one to the machine's server, the bytes as they are.
 */
export function serveNameStream(socket: Socket, { answer, upstream }: NameStream): void {
  let waiting = Buffer.alloc(0);
  const read = (chunk: Buffer): void => {
    waiting = Buffer.concat([waiting, chunk]);
    // What comes meanwhile waits in the socket, so that answers go out as the questions came in.
    socket.pause();
    void answerAll();
  };
  const answerAll = async (): Promise<void> => {
    while (waiting.length >= lengthBytes) {
      const end = lengthBytes + waiting.readUInt16BE(0);
      if (waiting.length < end) break;
      const own = await answer(waiting.subarray(lengthBytes, end));
      if (socket.destroyed) return;
      if (own === undefined) {
        passOn();
        return;
      }
      const head = Buffer.alloc(lengthBytes);
      head.writeUInt16BE(own.length);
      socket.write(Buffer.concat([head, own]));
      waiting = waiting.subarray(end);
    }
    socket.resume();
  };
  const passOn = (): void => {
    socket.off("data", read);
    if (upstream === undefined) {
      socket.destroy();
      return;
    }
    const server = connect(upstream);
    server.on("error", () => socket.destroy()).once("close", () => socket.destroy());
    socket.once("close", () => server.destroy());
    server.write(waiting);
    socket.pipe(server).pipe(socket);
  };
  socket.on("data", read);
}
