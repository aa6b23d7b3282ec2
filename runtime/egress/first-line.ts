import type { Socket } from "node:net";
import { lineBytesMax } from "./egress-protocol.ts";

/**
 * The first line that comes over a connection, parsed; what comes behind it is left to be read. Calls `done` once: with
 * undefined when the connection ends before, or what comes is no line of JSON.
 */
export function firstLine(socket: Socket, done: (value: unknown) => void): void {
  let parts: Buffer = Buffer.alloc(0);
  const finish = (value: unknown): void => {
    socket.off("data", onData);
    socket.off("end", onEnd);
    socket.off("close", onEnd);
    done(value);
  };
  const onEnd = (): void => finish(undefined);
  const onData = (chunk: Buffer): void => {
    parts = parts.length === 0 ? chunk : Buffer.concat([parts, chunk]);
    const end = parts.indexOf(0x0a);
    if (end === -1 && parts.length <= lineBytesMax) return;
    socket.pause();
    if (end !== -1 && end + 1 < parts.length) socket.unshift(parts.subarray(end + 1));
    finish(end === -1 ? undefined : parse(parts.toString("utf8", 0, end)));
  };
  socket.on("data", onData);
  socket.once("end", onEnd);
  socket.once("close", onEnd);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const line = (value: unknown): string => `${JSON.stringify(value)}\n`;
