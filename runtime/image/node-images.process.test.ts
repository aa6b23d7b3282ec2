import { spawn } from "node:child_process";
import { chmod, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { type Descriptor, mediaType } from "@shallop/sdk/image";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Bench, componentBytes, openBench, type RawEntry, rawTar, sha256 } from "./image.fixture.ts";
import type { LocalNativeImage, LocalWasmImage } from "./local-image.ts";
import { NodeImages } from "./node-images.ts";

let bench: Bench;
let images: NodeImages;
const signal = new AbortController().signal;
const isRoot = process.getuid?.() === 0;

beforeEach(async () => {
  bench = await openBench();
  images = await openImages();
});

afterEach(async () => {
  await bench[Symbol.asyncDispose]();
});

function openImages(limits = {}): Promise<NodeImages> {
  return NodeImages.open({ directory: join(bench.directory, "node"), client: bench.client, limits });
}

/** Pushes a native image of hand-made layers and fetches it. */
async function fetchLayers(
  layers: readonly {
    readonly tar: Buffer;
    readonly packed?: Buffer;
    readonly type?: string;
    readonly diffId?: string;
    /** The registry is not given its bytes. */
    readonly isElsewhere?: boolean;
  }[],
  node = images,
): Promise<LocalNativeImage> {
  const reference = bench.reference("layers:1");
  const push = async (bytes: Buffer, type: string, isElsewhere = false): Promise<Descriptor> => {
    const descriptor = { mediaType: type, digest: sha256(bytes), size: bytes.length };
    if (isElsewhere) return descriptor;
    const open = async function* bytesFrom(offset: number) {
      yield bytes.subarray(offset);
    };
    await bench.client.pushBlob(reference, { descriptor, open });
    return descriptor;
  };
  const descriptors: Descriptor[] = [];
  for (const layer of layers) {
    descriptors.push(
      await push(layer.packed ?? gzipSync(layer.tar), layer.type ?? mediaType.layerTarGzip, layer.isElsewhere),
    );
  }
  const config = {
    architecture: "amd64",
    os: "linux",
    config: { Cmd: ["/app"] },
    rootfs: { type: "layers", diff_ids: layers.map((layer) => layer.diffId ?? sha256(layer.tar)) },
  };
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaType.manifest,
    config: await push(Buffer.from(JSON.stringify(config)), mediaType.config),
    layers: descriptors,
  };
  await bench.client.pushManifest(reference, {
    bytes: Buffer.from(JSON.stringify(manifest)),
    mediaType: mediaType.manifest,
  });
  const image = await node.resolve(reference, signal);
  const variant = image.variants[0];
  expect(variant?.kind).toBe("native");
  const local = await node.fetch(image, variant!, { signal });
  expect(local.variant).toBe("native");
  return local as LocalNativeImage;
}

const layer = (...entries: readonly RawEntry[]) => ({ tar: rawTar(entries) });

function run(command: readonly string[]): Promise<{ code: number | null; text: string }> {
  return new Promise((resolve) => {
    const child = spawn(command[0]!, command.slice(1), { stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    child.stdout.on("data", (chunk) => (text += String(chunk)));
    child.stderr.on("data", (chunk) => (text += String(chunk)));
    child.on("close", (code) => resolve({ code, text }));
  });
}

test("a native image is unpacked, and is there after a restart without the registry", async () => {
  await bench.publish("app:1", { app: "#!/bin/sh\n", "etc/deep/settings": "x=1" });
  const image = await images.resolve(bench.reference("app:1"), signal);
  const native = image.variants.find((variant) => variant.kind === "native")!;
  const local = (await images.fetch(image, native, { signal })) as LocalNativeImage;
  expect(await readFile(join(local.layerPaths[0]!, "etc/deep/settings"), "utf8")).toBe("x=1");
  expect(local.config).toMatchObject({ entrypoint: ["/app"], env: ["A=b"], user: "1000:1000" });
  await bench.registry[Symbol.asyncDispose]();
  const again = await openImages();
  const pinned = await again.resolve({ ...bench.reference("app:1"), digest: image.digest }, signal);
  expect(await again.fetch(pinned, native, { signal })).toEqual(local);
});

test("what a loss of power has cut short is fetched again", async () => {
  await bench.publish("app:1", { app: "#!/bin/sh\n" });
  const reference = bench.reference("app:1");
  const image = await images.resolve(reference, signal);
  const wasm = image.variants.find(({ kind }) => kind === "wasm")!;
  const local = (await images.fetch(image, wasm, { signal })) as LocalWasmImage;
  const blob = (digest: string): string => join(bench.directory, "node", "blobs", "sha256", digest.slice(7));
  for (const path of [blob(image.digest), blob(wasm.digest), local.componentPath]) {
    await chmod(path, 0o600);
    await truncate(path, 3);
  }
  const again = await openImages();
  const pinned = await again.resolve({ ...reference, digest: image.digest }, signal);
  expect(pinned.variants).toEqual(image.variants);
  expect(await again.fetch(pinned, wasm, { signal })).toEqual(local);
  expect((await stat(local.componentPath)).size).toBe(local.sizeBytes);
});

test("whiteouts and opaque directories hide what is below in an overlay mount", async () => {
  const local = await fetchLayers([
    layer(
      { name: "keep", body: "1" },
      { name: "gone", body: "1" },
      { name: "dir/", flag: "5", mode: 0o755 },
      { name: "dir/old", body: "1" },
      { name: "replaced/", flag: "5", mode: 0o755 },
      { name: "replaced/old", body: "1" },
    ),
    layer(
      { name: ".wh.gone" },
      { name: "dir/", flag: "5", mode: 0o711 },
      { name: "dir/.wh..wh..opq" },
      { name: "dir/new", body: "2" },
      { name: "replaced/", flag: "5", mode: 0o755 },
      { name: "replaced/new", body: "2" },
      { name: ".wh.replaced" },
    ),
  ]);
  if (!isRoot) return;
  const script = `set -e; mkdir "$1/m"; mount -t overlay -o ro,lowerdir="$3:$2" o "$1/m"; cd "$1/m"; find . | sort; stat -c %a dir; umount -l "$1/m"`;
  const [base, top] = local.layerPaths;
  const result = await run(["unshare", "-m", "sh", "-c", script, "sh", bench.directory, base!, top!]);
  expect(result.text.trim().split("\n")).toEqual([
    ".",
    "./dir",
    "./dir/new",
    "./keep",
    "./replaced",
    "./replaced/new",
    "711",
  ]);
});

test("set-id bits and devices are left out, owners and times kept", async () => {
  const local = await fetchLayers([
    layer(
      { name: "su", mode: 0o4755, uid: 1234, body: "x" },
      { name: "null", flag: "3" },
      { name: "sticky/", flag: "5", mode: 0o1777 },
      { name: "pipe", flag: "6", mode: 0o600 },
    ),
  ]);
  const root = local.layerPaths[0]!;
  const su = await stat(join(root, "su"));
  expect(su.mode & 0o7777).toBe(0o755);
  if (isRoot) expect(su.uid).toBe(1234);
  expect(su.mtimeMs).toBe(1000);
  expect((await stat(join(root, "sticky"))).mode & 0o7777).toBe(0o1777);
  expect((await readdir(root)).sort()).toEqual(["pipe", "sticky", "su"]);
});

test("hard links to a lower layer are copied, missing parents take the lower directory's attributes", async () => {
  const local = await fetchLayers([
    layer(
      { name: "data/", flag: "5", mode: 0o2750, uid: 77 },
      { name: "data/file", mode: 0o600, uid: 78, body: "lower" },
    ),
    layer({ name: "copy", flag: "1", link: "data/file" }, { name: "data/second", body: "upper" }),
  ]);
  const top = local.layerPaths[1]!;
  expect(await readFile(join(top, "copy"), "utf8")).toBe("lower");
  expect((await stat(join(top, "copy"))).nlink).toBe(1);
  expect((await stat(join(top, "data"))).mode & 0o7777).toBe(0o750);
  if (isRoot) expect([(await stat(join(top, "data"))).uid, (await stat(join(top, "copy"))).uid]).toEqual([77, 78]);
});

test("an opaque root drops the layers below", async () => {
  const local = await fetchLayers([
    layer({ name: "a", body: "1" }),
    layer({ name: ".wh..wh..opq" }, { name: "b", body: "2" }),
  ]);
  expect(local.layerPaths).toHaveLength(1);
});

test("gzip, zstd and plain archives are read whatever the media type says", async () => {
  const tars = ["a", "b", "c", "d"].map((name) => rawTar([{ name, body: name }]));
  const foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
  const local = await fetchLayers([
    { tar: tars[0]!, packed: gzipSync(tars[0]!), type: "application/vnd.docker.image.rootfs.diff.tar" },
    { tar: tars[1]!, packed: zstdCompressSync(tars[1]!), type: mediaType.layerTarZstd },
    { tar: tars[2]!, packed: tars[2]!, type: mediaType.layerTar },
    { tar: tars[3]!, packed: gzipSync(tars[3]!), type: foreign },
  ]);
  const names = await Promise.all(local.layerPaths.map((path) => readdir(path)));
  expect(names).toEqual([["a"], ["b"], ["c"], ["d"]]);
});

test("a layer that the image's makers keep elsewhere is refused, with what to do", async () => {
  const type = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
  await expect(fetchLayers([{ ...layer({ name: "a" }), type, isElsewhere: true }])).rejects.toMatchObject({
    code: "BLOB_UNKNOWN",
    message: expect.stringMatching(/kept elsewhere.*push the image again with all of them/),
  });
});

// The attacks themselves are in unpack-layers.process.test.ts; here is what the jail makes of a refusal.
describe("hostile layers are refused, and nothing is left of them", () => {
  const many: readonly RawEntry[] = Array.from({ length: 300 }, (_, index) => ({ name: `f${index}` }));
  const bomb = gzipSync(rawTar([{ name: "a", body: Buffer.alloc(4_000_000) }]));
  const other = gzipSync(rawTar([{ name: "a" }]));
  const cases: readonly {
    readonly name: string;
    readonly tar: Buffer;
    readonly packed?: Buffer;
    readonly code: string;
  }[] = [
    { name: "a path with ..", tar: rawTar([{ name: "a/../../escape", body: "x" }]), code: "LAYER_INVALID" },
    { name: "too many entries", tar: rawTar(many), code: "TOO_LARGE" },
    { name: "a bomb of zeros", tar: Buffer.alloc(64), packed: bomb, code: "TOO_LARGE" },
    { name: "another diff id", tar: Buffer.alloc(64), packed: other, code: "DIGEST_MISMATCH" },
  ];
  test.each(cases)("$name", async ({ tar, packed, code }) => {
    const node = await openImages({ archiveBytesMax: 1_000_000, entriesMax: 200 });
    const fetched = fetchLayers([{ tar, ...(packed === undefined ? {} : { packed }) }], node);
    await expect(fetched).rejects.toMatchObject({ code });
    expect(await readdir(join(bench.directory, "node", "layers"))).toEqual([]);
  });
});

test("a layer that an image has twice is mounted once, at its topmost place", async () => {
  const empty = layer();
  const local = await fetchLayers([empty, layer({ name: "a" }), empty, layer({ name: "b" })]);
  const names = await Promise.all(local.layerPaths.map((path) => readdir(path)));
  expect(names).toEqual([["a"], [], ["b"]]);
});

test("a node that lets privileges in unpacks the same layer into another directory", async () => {
  const su = layer({ name: "su", mode: 0o4755, body: "x" });
  const plain = await fetchLayers([su]);
  const node = await NodeImages.open({
    directory: join(bench.directory, "node"),
    client: bench.client,
    privileges: { setIds: true },
  });
  const open = await fetchLayers([su], node);
  const modes = [plain, open].map(async ({ layerPaths }) => (await stat(join(layerPaths[0]!, "su"))).mode & 0o7777);
  expect(await Promise.all(modes)).toEqual([0o755, 0o4755]);
});

test("writing through a link stays inside: the link is followed in the layer's own tree", async () => {
  const local = await fetchLayers([
    layer(
      { name: "usr/lib/", flag: "5", mode: 0o755 },
      { name: "lib", flag: "2", link: "usr/lib" },
      { name: "lib/a", body: "inside" },
      { name: "abs", flag: "2", link: "/../../tmp" },
      { name: "abs/b", body: "inside" },
      { name: "/rooted", body: "inside" },
    ),
  ]);
  const root = local.layerPaths[0]!;
  expect(await readFile(join(root, "usr/lib/a"), "utf8")).toBe("inside");
  expect(await readFile(join(root, "tmp/b"), "utf8")).toBe("inside");
  expect(await readFile(join(root, "rooted"), "utf8")).toBe("inside");
});

test("names that are no UTF-8, and user attributes, come out as they went in", async () => {
  const name = `f\xff${"\xe9".repeat(150)}`;
  const local = await fetchLayers([
    layer({ name: "short\xfe" }, { name: "x", pax: { "SCHILY.xattr.user.note": "hi" } }),
    {
      tar: Buffer.concat([
        rawTar([{ name: "@LongLink", flag: "L", body: Buffer.from(`${name}\0`, "latin1") }], { end: false }),
        rawTar([{ name: "f" }]),
      ]),
    },
  ]);
  const names = await readdir(Buffer.from(local.layerPaths[1]!), { encoding: "buffer" });
  expect(names[0]?.toString("latin1")).toBe(name);
  const first = await readdir(Buffer.from(local.layerPaths[0]!), { encoding: "buffer" });
  expect(first.map((entry) => entry.toString("latin1")).sort()).toEqual(["short\xfe", "x"]);
});

test("a Wasm file in a root file system is taken out of the topmost layer that has it", async () => {
  const reference = bench.reference("rootfs:1");
  const push = async (bytes: Buffer, type: string): Promise<Descriptor> => {
    const descriptor = { mediaType: type, digest: sha256(bytes), size: bytes.length };
    const open = async function* all() {
      yield bytes;
    };
    await bench.client.pushBlob(reference, { descriptor, open });
    return descriptor;
  };
  const tars = [
    rawTar([{ name: "app.wasm", body: "old" }]),
    rawTar([{ name: "./app.wasm", body: componentBytes }]),
    rawTar([{ name: "other" }]),
  ];
  const layers: Descriptor[] = [];
  for (const tar of tars) layers.push(await push(gzipSync(tar), mediaType.layerTarGzip));
  const config = await push(
    Buffer.from(
      JSON.stringify({
        os: "wasi",
        architecture: "wasm",
        config: { Entrypoint: ["/app.wasm"] },
        rootfs: { type: "layers", diff_ids: tars.map(sha256) },
      }),
    ),
    mediaType.config,
  );
  const manifest = { schemaVersion: 2, mediaType: mediaType.manifest, config, layers };
  await bench.client.pushManifest(reference, {
    bytes: Buffer.from(JSON.stringify(manifest)),
    mediaType: mediaType.manifest,
  });
  const image = await images.resolve(reference, signal);
  const local = await images.fetch(image, image.variants[0]!, { signal });
  expect(local).toMatchObject({ variant: "wasm", componentDigest: sha256(componentBytes), sizeBytes: 8 });
  const again = await openImages();
  expect(await again.fetch(image, image.variants[0]!, { signal })).toEqual(local);
});

test("what is not in use is let go of, what is in use stays", async () => {
  const one = await bench.publish("one:1", { app: "one" });
  const two = await bench.publish("two:1", { app: "two" });
  const fetched: LocalNativeImage[] = [];
  for (const name of ["one:1", "two:1"]) {
    const image = await images.resolve(bench.reference(name), signal);
    for (const variant of image.variants) {
      const local = await images.fetch(image, variant, { signal });
      if (local.variant === "native") fetched.push(local);
    }
  }
  // A clock far ahead: nothing is young any more.
  const later = await NodeImages.open({
    directory: join(bench.directory, "node"),
    client: bench.client,
    clock: { ...(await import("@shallop/sdk/internal")).systemClock, wallMs: () => Date.now() + 3_600_000 },
  });
  const before = await later.usage();
  const { removedBytes } = await later.collect([two.index.digest]);
  expect(removedBytes).toBeGreaterThan(0);
  const after = await later.usage();
  expect(after.blobBytes + after.layerBytes).toBe(before.blobBytes + before.layerBytes - removedBytes);
  await expect(stat(fetched[0]!.layerPaths[0]!)).rejects.toMatchObject({ code: "ENOENT" });
  expect(await readFile(join(fetched[1]!.layerPaths[0]!, "app"), "utf8")).toBe("two");
  expect(one.index.digest).not.toBe(two.index.digest);
});

test("many callers at once: one fetch; one of them gone: the others get it", async () => {
  await bench.publish("app:1", { app: "x" });
  const image = await images.resolve(bench.reference("app:1"), signal);
  const native = image.variants.find((variant) => variant.kind === "native")!;
  const leaving = new AbortController();
  const left = images.fetch(image, native, { signal: leaving.signal });
  const others = Array.from({ length: 20 }, () => images.fetch(image, native, { signal }));
  leaving.abort(new Error("gone"));
  await expect(left).rejects.toThrow("gone");
  const locals = await Promise.all(others);
  expect(new Set(locals).size).toBe(1);
});

test("a draft that a killed process left is removed when the directory is opened", async () => {
  const draft = join(bench.directory, "node", "layers", ".draft-x");
  await run(["mkdir", "-p", join(draft, "files")]);
  await writeFile(join(draft, "files", "half"), "");
  await openImages();
  await expect(stat(draft)).rejects.toMatchObject({ code: "ENOENT" });
  await rm(draft, { recursive: true, force: true });
});
