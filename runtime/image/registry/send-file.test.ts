import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { RegistryBench } from "./registry.fixture.ts";

test("many read at once, some leave in the middle: who stays gets every byte, of the whole and of any part", async () => {
  await using bench = await RegistryBench.open();
  const bytes = Buffer.from(randomBytes(3_000_000));
  const path = `/v2/app/blobs/${await bench.blob("app", bytes)}`;
  const stays = async (start: number, end: number): Promise<void> => {
    const answer = await bench.call("GET", path, { headers: { range: `bytes=${start}-${end - 1}` } });
    expect(answer.status).toBe(206);
    expect(Buffer.from(await answer.arrayBuffer()).equals(bytes.subarray(start, end))).toBe(true);
  };
  const leaves = async (): Promise<void> => {
    const leaving = new AbortController();
    const answer = await bench.call("GET", path, { signal: leaving.signal });
    await answer.body?.getReader().read();
    leaving.abort();
  };
  // What one who left was being sent is not used again for another.
  for (let round = 0; round < 5; round++) {
    await Promise.all([
      ...[0, 1, 262_143, 262_144, 262_145, 524_289].map((start) => stays(start, bytes.length)),
      ...[1, 262_144, 262_145, 2_999_999].map((end) => stays(0, end)),
      ...Array.from({ length: 6 }, leaves),
    ]);
  }
});
