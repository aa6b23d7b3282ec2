import { gzipSync, zstdCompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { decompressed } from "./decompress.ts";

const [a, b] = [Buffer.alloc(60_000, "a"), Buffer.from("hello world".repeat(1_000))];

/** RFC 8878, 3.1.2: bytes that are no data. */
function skippable(kind: number): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(0x184d2a50 + kind, 0);
  head.writeUInt32LE(5, 4);
  return Buffer.concat([head, Buffer.from("notes")]);
}

const files: Readonly<Record<string, readonly [Buffer, Buffer | undefined]>> = {
  "as it is": [b, b],
  nothing: [Buffer.alloc(0), Buffer.alloc(0)],
  "three bytes": [Buffer.from("abc"), Buffer.from("abc")],
  gzip: [gzipSync(a), a],
  "gzip in two parts": [Buffer.concat([gzipSync(a), gzipSync(""), gzipSync(b)]), Buffer.concat([a, b])],
  "gzip with zeros behind": [Buffer.concat([gzipSync(a), Buffer.alloc(2_000)]), a],
  "gzip with something behind": [Buffer.concat([gzipSync(a), Buffer.from("more")]), undefined],
  "gzip that is cut off": [Buffer.concat([gzipSync(a), gzipSync(b).subarray(0, 20)]), undefined],
  "zstd in two parts": [Buffer.concat([zstdCompressSync(a), zstdCompressSync(b)]), Buffer.concat([a, b])],
  "zstd with notes first, between and last": [
    Buffer.concat([skippable(15), skippable(0), zstdCompressSync(a), skippable(3), zstdCompressSync(b), skippable(0)]),
    Buffer.concat([a, b]),
  ],
  "zstd that is cut off": [zstdCompressSync(b).subarray(0, 20), undefined],
};

test.each(Object.entries(files))("%s, in chunks of any size", async (_name, [file, expected]) => {
  for (const step of [1_000_000, 100, 1]) {
    const chunks = async function* chunks() {
      for (let at = 0; at < file.length; at += step) yield file.subarray(at, at + step);
    };
    const all = async (): Promise<Buffer> => Buffer.concat(await Array.fromAsync(decompressed(chunks())));
    if (expected === undefined) await expect(all()).rejects.toThrow(/./);
    else expect((await all()).equals(expected)).toBe(true);
  }
});
