import { once } from "node:events";
import type { ServerResponse } from "node:http";

/**
 * Sends a body as it comes, and ends the answer; a client that leaves ends the body. What is there at once leaves as one write. Node's
 * own adapter from its streams to the Web's costs six times as much for a small body.
 * @throws what the body fails with
 */
export async function sendBody(body: ReadableStream<Uint8Array>, outgoing: ServerResponse): Promise<void> {
  const reader = body.getReader();
  const left = new AbortController();
  outgoing.once("close", () => {
    left.abort();
    // When all has been sent there is nothing to cancel.
    reader.cancel().catch(() => undefined);
  });
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    if (outgoing.destroyed) return;
    if (!outgoing.write(piece.value)) await once(outgoing, "drain", { signal: left.signal }).catch(() => undefined);
  }
  if (!outgoing.destroyed) outgoing.end();
}
