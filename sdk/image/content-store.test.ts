import { chmod, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ContentStore, once } from "./content-store.ts";
import { digestOf } from "./digest.ts";
import { ImageTags } from "./image-tags.ts";
import { mediaType } from "./media-types.ts";
import { parseReference } from "./reference.ts";

let directory: string;
let store: ContentStore;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "shallop-store-"));
  store = await ContentStore.open(directory);
});

afterEach(() => rm(directory, { recursive: true, force: true }));

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test("a blob is there when it is right, with its digest as name", async () => {
  const expected = { digest: digestOf("hello"), size: 5 };
  expect(await store.has(expected.digest)).toBe(false);
  await store.ingest(once(bytes("hello")), expected);
  expect(await readFile(store.path(expected.digest), "utf8")).toBe("hello");
  expect(new TextDecoder().decode(await store.readBytes(expected))).toBe("hello");
  expect(await store.info(expected.digest)).toMatchObject({ sizeBytes: 5 });
  const sha512 = { digest: digestOf("hello", "sha512"), size: 5 };
  await store.ingest(once(bytes("hello")), sha512);
  expect(await store.has(sha512.digest)).toBe(true);
});

test.each([true, false])("bytes at hand are stored as what they are known to be (lasts: %s)", async (lasts) => {
  const passing = await ContentStore.open(directory, { lasts });
  for (const content of [bytes("hello"), bytes(""), Buffer.alloc(3 * 2 ** 20, "large")]) {
    for (const digest of [digestOf(content), digestOf(content, "sha512")]) {
      expect(await passing.putBytes(content, digest)).toMatchObject({ digest, sizeBytes: content.length });
      expect((await readFile(passing.path(digest))).equals(content)).toBe(true);
      const { ino } = await stat(passing.path(digest));
      await passing.putBytes(content, digest);
      expect((await stat(passing.path(digest))).ino).toBe(ino);
    }
  }
  expect(await readdir(join(directory, "ingest"))).toEqual([]);
  await rm(join(directory, "ingest"), { recursive: true });
  await expect(passing.putBytes(bytes("x"), digestOf("x"))).rejects.toMatchObject({ code: "STORE_FAILED" });
});

test("nothing stays of what is wrong, of what breaks off, and of what is aborted", async () => {
  async function* breaking(): AsyncGenerator<Uint8Array, void, undefined> {
    yield bytes("hel");
    throw new Error("line cut");
  }
  const expected = { digest: digestOf("hello"), size: 5 };
  await expect(store.ingest(once(bytes("hallo")), expected)).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
  await expect(store.ingest(once(bytes("hello!")), expected)).rejects.toMatchObject({ code: "SIZE_MISMATCH" });
  await expect(store.ingest(breaking(), expected)).rejects.toThrow("line cut");
  const aborted = AbortSignal.abort(new Error("stop"));
  await expect(store.ingest(once(bytes("hello")), expected, aborted)).rejects.toThrow("stop");
  expect(await readdir(join(directory, "ingest"))).toEqual([]);
  expect(await store.has(expected.digest)).toBe(false);
});

test("many write the same blob at once", async () => {
  const big = new Uint8Array(300_000).fill(7);
  const expected = { digest: digestOf(big), size: big.length };
  await Promise.all(Array.from({ length: 8 }, () => store.ingest(once(big), expected)));
  expect(await store.readBytes(expected)).toEqual(Buffer.from(big));
  expect(await readdir(join(directory, "ingest"))).toEqual([]);
});

test("a file that the disk cut short or changed is not served", async () => {
  const descriptor = await store.put(bytes("hello world"), "x");
  await rm(store.path(descriptor.digest));
  await writeFile(store.path(descriptor.digest), "hello wurld");
  await expect(store.readBytes(descriptor)).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
  await truncate(store.path(descriptor.digest), 3);
  await expect(store.read(descriptor)).rejects.toMatchObject({ code: "SIZE_MISMATCH" });
  await expect(store.read({ digest: digestOf("absent") })).rejects.toMatchObject({ code: "BLOB_UNKNOWN" });
});

test("a blob of another size under the same digest is replaced by the right one", async () => {
  const descriptor = await store.put(bytes("hello world"), "x");
  await rm(store.path(descriptor.digest));
  await writeFile(store.path(descriptor.digest), "hel");
  await store.ingest(once(bytes("hello world")), descriptor);
  expect(await readFile(store.path(descriptor.digest), "utf8")).toBe("hello world");
});

test("ranges", async () => {
  const descriptor = await store.put(bytes("0123456789"), "x");
  const read = async (start: number, end: number): Promise<string> => {
    let text = "";
    for await (const chunk of await store.read(descriptor, { start, end })) text += new TextDecoder().decode(chunk);
    return text;
  };
  expect([await read(0, 10), await read(3, 5), await read(9, 10), await read(5, 5)]).toEqual([
    "0123456789",
    "34",
    "9",
    "",
  ]);
});

test("adopt takes a right file over and leaves a wrong one", async () => {
  const path = join(directory, "upload");
  await writeFile(path, "hello");
  await expect(store.adopt(path, { digest: digestOf("other") })).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
  expect(await readFile(path, "utf8")).toBe("hello");
  await store.adopt(path, { digest: digestOf("hello"), size: 5 });
  expect(await store.has(digestOf("hello"))).toBe(true);
});

test("garbage collection keeps what a root reaches, and what is young", async () => {
  const layer = await store.put(bytes("layer"), mediaType.wasmLayer);
  const config = await store.put(bytes("{}"), mediaType.wasmConfig);
  const manifest = await store.put(
    bytes(JSON.stringify({ schemaVersion: 2, config, layers: [layer] })),
    mediaType.manifest,
  );
  const index = await store.put(bytes(JSON.stringify({ schemaVersion: 2, manifests: [manifest] })), mediaType.index);
  const stray = await store.put(bytes("stray"), "x");
  await writeFile(join(directory, "ingest", "left-by-a-killed-process"), "half");
  expect(await store.collect({ roots: [index.digest], keepSinceMs: 0 })).toEqual({ removed: 0, removedBytes: 0 });
  expect(await store.collect({ roots: [index.digest], keepSinceMs: Number.MAX_VALUE })).toEqual({
    removed: 1,
    removedBytes: 5,
  });
  expect(await store.has(stray.digest)).toBe(false);
  for (const kept of [layer, config, manifest, index]) expect(await store.has(kept.digest)).toBe(true);
  expect(await readdir(join(directory, "ingest"))).toEqual([]);
  await store.collect({ roots: [], keepSinceMs: Number.MAX_VALUE });
  expect(await store.has(layer.digest)).toBe(false);
});

test("garbage collection goes on where a loss of power has cut a manifest short", async () => {
  const passing = await ContentStore.open(directory, { lasts: false });
  const manifest = await passing.put(bytes(JSON.stringify({ schemaVersion: 2, layers: [] })), mediaType.manifest);
  const stray = await passing.put(bytes("stray"), "x");
  await chmod(passing.path(manifest.digest), 0o600);
  await truncate(passing.path(manifest.digest), 3);
  await passing.collect({ roots: [manifest.digest], keepSinceMs: Number.MAX_VALUE });
  expect(await Promise.all([manifest, stray].map(({ digest }) => passing.has(digest)))).toEqual([true, false]);
});

test("what two stores have is on the disk once, and each removes its own", async () => {
  const otherDirectory = join(directory, "other");
  const other = await ContentStore.open(otherDirectory);
  const [both, mine, wrong] = ["both", "mine", "wrong"].map((text) => ({ digest: digestOf(text), size: text.length }));
  if (both === undefined || mine === undefined || wrong === undefined) throw new Error("three");
  for (const one of [store, other]) await one.ingest(once(bytes("both")), both);
  await store.ingest(once(bytes("mine")), mine);
  await store.ingest(once(bytes("wrong")), wrong);
  await writeFile(other.path(wrong.digest), "cut");
  const file = async (one: ContentStore, { digest }: typeof both) => (await stat(one.path(digest))).ino;
  expect(await file(store, both)).not.toBe(await file(other, both));
  // Again, as well: it is one file already.
  for (const { digest } of [both, both, mine, wrong]) await store.shareWith(otherDirectory, digest);
  expect(await file(store, both)).toBe(await file(other, both));
  expect(await readFile(store.path(wrong.digest), "utf8")).toBe("wrong");
  expect(await readdir(join(directory, "ingest"))).toEqual([]);
  await store.shareWith(join(directory, "nosuch"), mine.digest);
  await other.remove(both.digest);
  expect(new TextDecoder().decode(await store.readBytes(both))).toBe("both");
});

test("a store that cannot be made says so", async () => {
  await writeFile(join(directory, "file"), "");
  await expect(ContentStore.open(join(directory, "file", "store"))).rejects.toMatchObject({ code: "STORE_FAILED" });
});

test("tags: set, replaced, listed by name, removed; two writers lose nothing", async () => {
  const tags = await ImageTags.open(directory);
  const reference = (text: string) => parseReference(text, { defaultRegistry: "127.0.0.1:5000" });
  const target = await store.put(bytes("{}"), mediaType.index);
  const other = await ImageTags.open(directory);
  await Promise.all([
    tags.set(reference("b:1"), target, 0),
    other.set(reference("a:1"), target, 0),
    tags.set(reference("a:2"), target, 0),
  ]);
  expect((await tags.list()).map((image) => image.name)).toEqual([
    "127.0.0.1:5000/a:1",
    "127.0.0.1:5000/a:2",
    "127.0.0.1:5000/b:1",
  ]);
  const next = await store.put(bytes("{} "), mediaType.index);
  await tags.set(reference("a:1"), next, 0);
  expect(await other.get(reference("a:1"))).toMatchObject({ target: next, taggedAt: "1970-01-01T00:00:00Z" });
  expect(await tags.remove(reference("a:1"))).toBe(true);
  expect(await tags.remove(reference("a:1"))).toBe(false);
  expect(await tags.get(reference("a:1"))).toBeUndefined();
});
