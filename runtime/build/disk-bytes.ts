import { constants } from "node:fs";
import { open } from "node:fs/promises";

/** Per read, as the content store's. */
const readBytes = 256 * 1024;

/**
 * The bytes of a file of this machine, opened when they are asked for. A link in its place is not followed and a pipe is
 * not waited for: a context may change while it is read.
 */
export async function* fileBytes(path: string | Buffer): AsyncGenerator<Buffer, void, undefined> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const stream = file.createReadStream({ highWaterMark: readBytes, autoClose: false });
  yield* stream as AsyncIterable<Buffer>;
}
