import { digestOf, type Descriptor, manifestBlob, mediaType, parseManifest } from "@shallop/sdk/image";
import { expect, test } from "vitest";
import { readDemands } from "./image-demands.ts";

const blobs = new Map<string, Buffer>();

function stored(mediaTypeOf: string, value: unknown): Descriptor {
  const bytes = Buffer.from(JSON.stringify(value));
  const descriptor = { mediaType: mediaTypeOf, digest: digestOf(bytes), size: bytes.length };
  blobs.set(descriptor.digest, bytes);
  return descriptor;
}

const read = (descriptor: Descriptor): Promise<Uint8Array> => {
  const bytes = blobs.get(descriptor.digest);
  return bytes === undefined ? Promise.reject(new Error("it is away")) : Promise.resolve(bytes);
};

const manifestOf = (config: Descriptor, layerType: string): Descriptor =>
  stored(mediaType.manifest, {
    ...{ schemaVersion: 2, mediaType: mediaType.manifest, config },
    layers: [stored(layerType, "x")],
  });
const wasm = (os: string, component?: object): Descriptor =>
  manifestOf(
    stored("application/vnd.wasm.config.v0+json", { os, architecture: "wasm", ...(component && { component }) }),
    "application/wasm",
  );
const native = (architecture: string, user: string): Descriptor =>
  manifestOf(
    stored(mediaType.config, { os: "linux", architecture, config: { User: user }, rootfs: { diff_ids: [] } }),
    "application/vnd.oci.image.layer.v1.tar+gzip",
  );

function rootOf(descriptor: Descriptor) {
  const bytes = blobs.get(descriptor.digest)!;
  return manifestBlob(bytes, parseManifest(bytes, descriptor.mediaType), descriptor.digest);
}

function indexOf(entries: readonly (readonly [Descriptor, string, string])[]) {
  const manifests = entries.map(([descriptor, os, architecture]) => ({
    ...descriptor,
    platform: { os, architecture },
  }));
  return rootOf(stored(mediaType.index, { schemaVersion: 2, mediaType: mediaType.index, manifests }));
}

test("an image asks for what all its variants import, and for the users of the native ones", async () => {
  const unlisted = wasm("wasip2");
  const root = indexOf([
    [native("amd64", ""), "linux", "amd64"],
    [native("arm64", "1000:1000"), "linux", "arm64"],
    [wasm("wasip2", { imports: ["wasi:cli/stdin@0.2.0"], exports: [] }), "wasip2", "wasm"],
    [wasm("wasip1"), "wasip1", "wasm"],
    [unlisted, "wasip2", "wasm"],
  ]);
  expect(await readDemands(root, read)).toEqual({
    kinds: ["native", "wasm"],
    imports: ["wasi:cli/stdin@0.2.0", "wasi_snapshot_preview1"],
    unlisted: [unlisted.digest],
    users: ["", "1000:1000"],
  });
});

test("an image that is one manifest, as Docker pushes it", async () => {
  expect(await readDemands(rootOf(native("amd64", "app")), read)).toEqual({
    ...{ kinds: ["native"], imports: [], unlisted: [], users: ["app"] },
  });
});

test("what cannot be read is a fault, never an image that asks for nothing", async () => {
  const gone = native("amd64", "");
  const root = indexOf([[gone, "linux", "amd64"]]);
  const nested = indexOf([[root.descriptor, "linux", "amd64"]]);
  await expect(readDemands(nested, read)).rejects.toMatchObject({ code: "MANIFEST_INVALID" });
  const many = Array.from({ length: 33 }, (_, at) => [native(`a${at}`, ""), "linux", `a${at}`] as const);
  await expect(readDemands(indexOf(many), read)).rejects.toMatchObject({ code: "TOO_LARGE" });
  blobs.delete(gone.digest);
  await expect(readDemands(root, read)).rejects.toThrow("it is away");
});
