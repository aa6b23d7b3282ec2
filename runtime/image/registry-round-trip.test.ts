import { join } from "node:path";
import { ContentStore, copyImage, pullImage, pushImage, retagged } from "@shallop/sdk/image";
import { systemClock } from "@shallop/sdk/internal";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Bench, openBench } from "./image.fixture.ts";
import { type ComponentLeftovers, NodeImages } from "./node-images.ts";

let bench: Bench;
const signal = new AbortController().signal;

beforeEach(async () => {
  bench = await openBench();
});

afterEach(() => bench[Symbol.asyncDispose]());

test("push, resolve, pull: the same digest everywhere, and the extra tag at the Wasm manifest", async () => {
  const image = await bench.publish("team/app:1.0", { app: "native" });
  const reference = bench.reference("team/app:1.0");
  expect(await bench.client.resolve(reference)).toEqual(image.index);
  const wasm = await bench.client.resolve(retagged(reference, "1.0-wasm"));
  expect(wasm.digest).toBe(image.wasm?.digest);
  const store = await ContentStore.open(join(bench.directory, "pulled"));
  expect(await pullImage(bench.client, store, reference)).toEqual(image.index);
  const [before, after] = await Promise.all(
    [bench.store, store].map(async (one) => (await Array.fromAsync(one.list())).map((blob) => blob.digest).sort()),
  );
  expect(after).toEqual(before);
});

test("a second push sends nothing; a copy in one registry mounts; a copy elsewhere keeps the digest", async () => {
  const image = await bench.publish("app:1", { app: "native" });
  const again = await pushImage(bench.client, bench.store, {
    reference: bench.reference("app:2"),
    target: image.index,
  });
  expect(again.sentBytes).toBe(0);
  const mounted = await copyImage(bench.client, bench.reference("app:1"), bench.reference("mounted:1"));
  expect(mounted).toMatchObject({ digest: image.index.digest, sentBytes: 0 });
  await using other = await openBench();
  const copied = await copyImage(bench.client, bench.reference("app:1"), other.reference("copied:1"));
  expect(copied.digest).toBe(image.index.digest);
  expect(copied.sentBytes).toBeGreaterThan(0);
  expect(await other.client.resolve(other.reference("copied:1-wasm"))).toMatchObject({ digest: image.wasm?.digest });
});

test("pull with a selection takes only that; push of it says what is missing", async () => {
  const image = await bench.publish("app:1", { app: "native" });
  const store = await ContentStore.open(join(bench.directory, "pulled"));
  await pullImage(bench.client, store, bench.reference("app:1"), {
    select: (entry) => entry.platform?.architecture === "wasm",
  });
  expect(await store.has(image.native[0]!.digest)).toBe(false);
  const pushed = pushImage(bench.client, store, { reference: bench.reference("b:1"), target: image.index });
  await expect(pushed).rejects.toMatchObject({ code: "BLOB_UNKNOWN" });
});

test("a node takes the component as it is, once, and keeps it without the registry", async () => {
  await bench.publish("app:1");
  const directory = join(bench.directory, "node");
  const images = await NodeImages.open({ directory, client: bench.client });
  const image = await images.resolve(bench.reference("app:1"), signal);
  const [variant] = image.variants;
  const progress: number[] = [];
  const local = await images.fetch(image, variant!, { signal, onProgress: ({ bytes }) => progress.push(bytes) });
  expect(local).toMatchObject({ variant: "wasm", sizeBytes: 8 });
  expect(progress).toEqual([8]);
  await bench.registry[Symbol.asyncDispose]();
  const again = await NodeImages.open({ directory, client: bench.client });
  const pinned = await again.resolve({ ...bench.reference("app:1"), digest: image.digest }, signal);
  expect(await again.fetch(pinned, variant!, { signal })).toEqual(local);
});

test("what a component was prepared to goes with its image", async () => {
  const { index } = await bench.publish("app:1");
  const directory = join(bench.directory, "node");
  const store = await ContentStore.open(directory);
  const plan = await store.put(Buffer.from("{}"), "application/json");
  const asked: (readonly string[])[] = [];
  const prepared: ComponentLeftovers = {
    collect: async (components) => {
      asked.push([...components]);
      return components.size > 0 ? [plan.digest] : [];
    },
  };
  const clock = { ...systemClock, wallMs: () => systemClock.wallMs() + 3_600_000 };
  const images = await NodeImages.open({ directory, client: bench.client, clock, prepared });
  const image = await images.resolve(bench.reference("app:1"), signal);
  const local = await images.fetch(image, image.variants[0]!, { signal });
  await images.collect([index.digest]);
  expect(asked[0]).toEqual([local.variant === "wasm" ? local.componentDigest : undefined]);
  expect(await store.has(plan.digest)).toBe(true);
  await images.collect([]);
  expect(asked[1]).toEqual([]);
  expect(await store.has(plan.digest)).toBe(false);
});

test("what is called Wasm and is not is refused", async () => {
  const image = await bench.publish("app:1");
  const images = await NodeImages.open({ directory: join(bench.directory, "node"), client: bench.client });
  const resolved = await images.resolve(bench.reference("app:1"), signal);
  const [variant] = resolved.variants;
  if (variant?.kind !== "wasm" || variant.content.form !== "file") throw new Error("unexpected variant");
  const notWasm = image.wasm!;
  await bench.client.pushBlob(bench.reference("app:1"), { descriptor: notWasm, open: () => readStored(notWasm) });
  const lying = {
    ...variant,
    content: { form: "file", layer: { ...notWasm, mediaType: "application/wasm" } },
  } as const;
  await expect(images.fetch(resolved, lying, { signal })).rejects.toMatchObject({ code: "LAYER_INVALID" });
});

async function* readStored(
  descriptor: Parameters<ContentStore["read"]>[0],
): AsyncGenerator<Uint8Array, void, undefined> {
  yield* await bench.store.read(descriptor);
}
