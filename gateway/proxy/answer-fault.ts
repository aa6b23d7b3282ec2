import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "@shallop/sdk/internal";
import { faultResponse, type GatewayFaultCode } from "./fault-status.ts";

export interface FaultAnswer {
  readonly code: GatewayFaultCode;
  readonly requestId: string;
  /** Replaces the table's sentence. */
  readonly text?: string | undefined;
  /** The connection is of no use after it. */
  readonly close?: boolean;
}

/** Answers a request with a fault. The head must not have been sent. */
export function answerFault(outgoing: ServerResponse, { code, requestId, text, close }: FaultAnswer): void {
  const { status, headers, body } = faultResponse(code, requestId, text);
  if (close === true) outgoing.shouldKeepAlive = false;
  outgoing.writeHead(status, [...headers]);
  outgoing.end(body);
}

// What a client may still send of a request that has been answered before its end. Closing at once would make the
// kernel reset the connection, and the client could lose the answer (RFC 9112, 9.6).
const lingerMs = 2_000;
const lingerBytesMax = 1024 * 1024;

/**
 * Reads and drops what is left of the request. If that is not soon over, says that the connection ends, and closes it
 * once the client has had the time to read the answer.
 */
export function discardRest(incoming: IncomingMessage, outgoing: ServerResponse, clock: Clock): void {
  if (incoming.complete || incoming.destroyed) return;
  incoming.removeAllListeners("data");
  const linger = (): void => {
    const { socket } = incoming;
    let bytes = 0;
    const timer = clock.after(lingerMs, () => socket.destroy());
    incoming.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= lingerBytesMax) return;
      incoming.pause();
      socket.end();
    });
    incoming.once("close", () => timer.cancel());
    incoming.once("end", () => timer.cancel());
  };
  if (outgoing.writableFinished) linger();
  else outgoing.once("finish", linger);
  incoming.resume();
}
