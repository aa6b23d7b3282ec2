import { once } from "node:events";
import { connect } from "node:net";
import { systemClock } from "../../sdk/internal/index.ts";

export interface PlainAnswer {
  readonly status: number;
  /** Of the answer's head, in lower case. */
  readonly head: string;
  /** From the request's bytes on an open connection to the first of the answer's. */
  readonly ms: number;
}

/** Asks as a load generator does: on a connection that is open already, and with nothing of a client's own between bytes and clock. */
export async function plainRequest(port: number, host: string): Promise<PlainAnswer> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  try {
    await once(socket, "connect");
    const answered = once(socket, "data") as Promise<[Buffer]>;
    const startedMs = systemClock.nowMs();
    socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    const [bytes] = await answered;
    const ms = systemClock.nowMs() - startedMs;
    const head = bytes.toString("latin1").split("\r\n\r\n", 1)[0]?.toLowerCase() ?? "";
    return { status: Number(head.split(" ")[1]), head, ms };
  } finally {
    socket.destroy();
  }
}
