import type { ServerResponse } from "node:http";
import { type FileHandle, open } from "node:fs/promises";
import type { BlobRange } from "@shallop/sdk/image";

/** Per read: large enough that a layer takes few calls. */
const bufferBytes = 256 * 1024;
/** Buffers that are kept for the next answer; fresh ones cost a page fault for each 4 KiB. */
const buffersKeptMax = 32;
const kept: Buffer[] = [];

/**
 * Sends a part of a file as the body of an answer whose header has its length, and ends it. One piece is read while the
 * other is on its way; a piece is used again when the kernel has it.
 *
 * @throws the system's error of the file; Error when it is shorter than it was, or the client has gone
 */
export async function sendFile(path: string, { start, end }: BlobRange, response: ServerResponse): Promise<void> {
  await using file = await open(path, "r");
  const gone = Promise.withResolvers<never>();
  const leave = (): void => gone.reject(new ClientGone());
  response.once("close", leave);
  gone.promise.catch(() => undefined);
  const buffers = [take(), take()];
  try {
    await Promise.race([send(file, { start, end }, { response, buffers }), gone.promise]);
    // Only now: of an answer that broke, the kernel or Node may still hold a piece.
    for (const buffer of buffers) if (kept.length < buffersKeptMax) kept.push(buffer);
  } finally {
    response.off("close", leave);
  }
  response.end();
}

/** The client left in the middle of its answer: nobody's fault that anybody has to hear of. */
class ClientGone extends Error {
  readonly code = "ECONNRESET";

  constructor() {
    super("the client has gone");
  }
}

const take = (): Buffer => kept.pop() ?? Buffer.allocUnsafeSlow(bufferBytes);

async function send(
  file: FileHandle,
  { start, end }: BlobRange,
  { response, buffers }: { readonly response: ServerResponse; readonly buffers: readonly Buffer[] },
): Promise<void> {
  let writing: Promise<void> = Promise.resolve();
  for (let position = start, turn = 0; position < end; turn++) {
    const buffer = buffers[turn % buffers.length] ?? Buffer.alloc(0);
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, end - position), position);
    if (bytesRead === 0) throw new Error("a blob is shorter than it was");
    await writing;
    writing = write(response, buffer.subarray(0, bytesRead));
    // Its failure is seen by who waits for it; meanwhile the next piece is read.
    writing.catch(() => undefined);
    position += bytesRead;
  }
  await writing;
}

const write = (response: ServerResponse, piece: Buffer): Promise<void> =>
  new Promise((resolve, reject) => {
    response.write(piece, (error) => (error === null || error === undefined ? resolve() : reject(error)));
  });
