import type { Socket } from "node:net";

/** What a client of HTTP/2 that knows of it beforehand says first (RFC 9113, 3.4). */
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/**
 * Looks at the first bytes of a connection, which stay unread, and tells whether they are HTTP/2's preface. The socket is paused by then. A connection
 * that says nothing for `silenceMsMax` is closed.
 */
export function readPreface(socket: Socket, silenceMsMax: number, decided: (isHttp2: boolean) => void): void {
  let seen: Buffer = Buffer.alloc(0);
  const close = (): void => void socket.destroy();
  const look = (chunk: Buffer): void => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const compared = Math.min(seen.length, preface.length);
    const isLike = seen.compare(preface, 0, compared, 0, compared) === 0;
    if (isLike && compared < preface.length) return;
    socket.off("data", look);
    for (const event of ends) socket.off(event, close);
    socket.setTimeout(0);
    socket.pause();
    socket.unshift(seen);
    decided(isLike);
  };
  socket.on("data", look);
  for (const event of ends) socket.on(event, close);
  socket.setTimeout(silenceMsMax);
}

const ends = ["timeout", "end", "error"] as const;
