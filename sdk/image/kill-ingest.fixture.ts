// A process that writes blobs until it is killed; says which one it has begun. Started by content-store.process.test.ts.

import { ContentStore } from "./content-store.ts";
import { digestOf } from "./digest.ts";

const directory = process.argv[2] ?? "";
const store = await ContentStore.open(directory);
for (let number = 0; ; number++) {
  const bytes = Buffer.alloc(3_000_000, number % 256);
  process.stdout.write(`${number}\n`);
  await store.ingest(slices(bytes), { digest: digestOf(bytes), size: bytes.length });
}

async function* slices(bytes: Buffer): AsyncGenerator<Uint8Array, void, undefined> {
  for (let offset = 0; offset < bytes.length; offset += 64 * 1024) yield bytes.subarray(offset, offset + 64 * 1024);
}
