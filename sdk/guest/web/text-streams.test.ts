import fc from "fast-check";
import { ReadableStream } from "web-streams-polyfill";
import { expect, test } from "vitest";
import { TextDecoderStream, TextEncoderStream } from "./text-streams.ts";

async function all<T>(stream: ReadableStream<T>): Promise<T[]> {
  const chunks: T[] = [];
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return chunks;
    chunks.push(value);
  }
}

test("text cut anywhere, also within a pair, goes through bytes and comes back", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string({ unit: "binary" })), fc.nat(), async (texts, seed) => {
      const whole = texts.join("");
      const cut = whole.length === 0 ? 0 : seed % whole.length;
      const chunks = [whole.slice(0, cut), whole.slice(cut)];
      const bytes = await all(ReadableStream.from(chunks).pipeThrough(new TextEncoderStream()));
      expect(Buffer.concat(bytes).toString()).toBe(whole);
      const single = [...Buffer.concat(bytes)].map((byte) => Uint8Array.of(byte));
      const back = await all(
        ReadableStream.from(single).pipeThrough(new TextDecoderStream("utf-8", { ignoreBOM: true })),
      );
      expect(back.join("")).toBe(whole);
    }),
    { numRuns: 50 },
  );
});

test("half a pair at the end is a replacement character", async () => {
  const bytes = await all(ReadableStream.from(["a\ud83d"]).pipeThrough(new TextEncoderStream()));
  expect(Buffer.concat(bytes).toString()).toBe("a\ufffd");
});

test("a fatal decoder breaks the stream", async () => {
  const stream = ReadableStream.from([Uint8Array.of(0xff)]).pipeThrough(
    new TextDecoderStream("utf-8", { fatal: true }),
  );
  await expect(all(stream)).rejects.toThrow(TypeError);
});
