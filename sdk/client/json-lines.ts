/** A line that is longer than its reader takes. */
export class LineTooLongError extends RangeError {
  override readonly name = "LineTooLongError";
}

/**
 * The lines of a byte stream as text, without their ends and without empty ones. What is held in memory is bounded by
 * `lineBytesMax` and one chunk. @throws LineTooLongError
 */
export async function* lines(chunks: AsyncIterable<Uint8Array>, lineBytesMax: number): AsyncGenerator<string> {
  let parts: Uint8Array[] = [];
  let partBytes = 0;
  const take = (part: Uint8Array): void => {
    partBytes += part.byteLength;
    if (partBytes > lineBytesMax) throw new LineTooLongError(`a line is longer than ${lineBytesMax} bytes`);
    parts.push(part);
  };
  const line = (): string => {
    const text = Buffer.concat(parts).toString("utf8").trim();
    parts = [];
    partBytes = 0;
    return text;
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      take(chunk.subarray(start, end));
      start = end + 1;
      const text = line();
      if (text !== "") yield text;
    }
    if (start < chunk.length) take(chunk.subarray(start));
  }
  const rest = line();
  if (rest !== "") yield rest;
}

const newline = 0x0a;
