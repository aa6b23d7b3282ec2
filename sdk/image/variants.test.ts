import { describe, expect, test } from "vitest";
import { digestOf } from "./digest.ts";
import { type Descriptor, parseManifest } from "./manifest.ts";
import { mediaType } from "./media-types.ts";
import { readVariants, type VariantList } from "./variants.ts";

/** Documents by digest, as a registry would have them. */
class Blobs {
  readonly #bytes = new Map<string, Uint8Array>();
  reads = 0;

  add(type: string, document: unknown, more: Partial<Descriptor> = {}): Descriptor {
    const bytes = new TextEncoder().encode(JSON.stringify(document));
    const descriptor = { mediaType: type, digest: digestOf(bytes), size: bytes.length, ...more };
    this.#bytes.set(descriptor.digest, bytes);
    return descriptor;
  }

  manifest(config: Descriptor, layerTypes: readonly string[], more: Partial<Descriptor> = {}): Descriptor {
    const layers = layerTypes.map((type, index) => ({ mediaType: type, digest: digestOf(`${index}`), size: 10 }));
    return this.add(mediaType.manifest, { schemaVersion: 2, mediaType: mediaType.manifest, config, layers }, more);
  }

  index(...manifests: readonly Descriptor[]): Descriptor {
    return this.add(mediaType.index, { schemaVersion: 2, mediaType: mediaType.index, manifests });
  }

  read(descriptor: Descriptor): Promise<Uint8Array> {
    this.reads++;
    const bytes = this.#bytes.get(descriptor.digest);
    return bytes === undefined ? Promise.reject(new Error(`no ${descriptor.digest}`)) : Promise.resolve(bytes);
  }

  async variants(root: Descriptor, options = {}): Promise<VariantList> {
    const document = parseManifest(await this.read(root), root.mediaType);
    this.reads = 0;
    return readVariants({ descriptor: root, document }, (descriptor) => this.read(descriptor), options);
  }
}

const wasip2 = { os: "wasip2", architecture: "wasm" };
const cncfConfig = {
  created: "x",
  ...wasip2,
  layerDigests: [],
  component: { imports: ["a:b/c@1.0.0"], exports: ["d"], target: "t" },
};
const rootfsConfig = {
  os: "wasi",
  architecture: "wasm",
  rootfs: { type: "layers", diff_ids: [digestOf("0")] },
  config: { Entrypoint: ["/app.wasm"] },
};

const linuxConfig = { ...rootfsConfig, os: "linux", architecture: "amd64" };

describe("every way of putting Wasm into an image is recognised", () => {
  const rows: readonly {
    readonly name: string;
    readonly configType: string;
    readonly config: unknown;
    readonly layer: string;
    readonly expected: object;
  }[] = [
    {
      name: "CNCF artifact",
      configType: mediaType.wasmConfig,
      config: cncfConfig,
      layer: mediaType.wasmLayer,
      expected: {
        platform: wasip2,
        content: { form: "file" },
        component: { imports: ["a:b/c@1.0.0"], exports: ["d"], target: "t" },
      },
    },
    {
      name: "CNCF module",
      configType: mediaType.wasmConfig,
      config: { os: "wasip1", architecture: "wasm" },
      layer: mediaType.wasmLayer,
      expected: { platform: { os: "wasip1" } },
    },
    {
      name: "runwasi layer",
      configType: mediaType.config,
      config: { os: "wasip1", architecture: "wasm", rootfs: { diff_ids: [] } },
      layer: "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm",
      expected: { platform: { os: "wasip1" }, content: { form: "file" } },
    },
    {
      name: "wasm-to-oci",
      configType: "application/vnd.wasm.config.v1+json",
      config: {},
      layer: "application/vnd.wasm.content.layer.v1+wasm",
      expected: { platform: { os: "wasi" } },
    },
    {
      name: "proxy-wasm",
      configType: "application/vnd.module.wasm.config.v1+json",
      config: {},
      layer: "application/vnd.module.wasm.content.layer.v1+wasm",
      expected: { content: { form: "file" } },
    },
    {
      name: "Spin application of one component",
      configType: mediaType.config,
      config: { os: "Wasip1", architecture: "wasm", config: { Labels: { "com.fermyon.spin.lockedAppDigest": "x" } } },
      layer: "application/vnd.wasm.content.layer.v1+wasm",
      expected: { platform: { os: "wasi" }, content: { form: "file" } },
    },
    {
      name: "older Wasm platform of Docker",
      configType: mediaType.dockerConfig,
      config: { ...rootfsConfig, architecture: "wasm32" },
      layer: "application/vnd.docker.image.rootfs.diff.tar.gzip",
      expected: { platform: { os: "wasi", architecture: "wasm" }, content: { form: "rootfs" } },
    },
    {
      name: "Linux image with crun's label",
      configType: mediaType.config,
      config: {
        ...linuxConfig,
        config: { Cmd: ["app.wasm"], Labels: { "module.wasm.image/variant": "compat-smart" } },
      },
      layer: mediaType.layerTar,
      expected: { platform: { os: "wasi" }, content: { form: "rootfs", path: "app.wasm" } },
    },
    {
      name: "Linux image with a handler, Istio's file",
      configType: mediaType.config,
      config: { ...linuxConfig, config: { Labels: { "run.oci.handler": "wasm" } } },
      layer: mediaType.layerTarZstd,
      expected: { platform: { os: "wasi" }, content: { form: "rootfs", path: "plugin.wasm" } },
    },
    {
      name: "root file system",
      configType: mediaType.config,
      config: rootfsConfig,
      layer: mediaType.layerTarGzip,
      expected: { platform: { os: "wasi", architecture: "wasm" }, content: { form: "rootfs", path: "/app.wasm" } },
    },
  ];
  test.each(rows)("$name, alone and in an index", async ({ configType, config, layer, expected }) => {
    const blobs = new Blobs();
    const manifest = blobs.manifest(blobs.add(configType, config), [layer]);
    const alone = await blobs.variants(manifest);
    expect(alone.variants).toMatchObject([{ kind: "wasm", digest: manifest.digest, sizeBytes: 10, ...expected }]);
    const listed = await blobs.variants(blobs.index(manifest));
    expect(listed.variants).toEqual(alone.variants);
  });
});

test("the mixed index: native entries cost no request, attestations and other systems are skipped with a reason", async () => {
  const blobs = new Blobs();
  const native = (architecture: string): Descriptor => ({
    mediaType: mediaType.manifest,
    digest: digestOf(architecture),
    size: 5,
    platform: { os: "linux", architecture },
  });
  const wasm = blobs.manifest(blobs.add(mediaType.wasmConfig, cncfConfig), [mediaType.wasmLayer], {
    platform: wasip2,
    artifactType: mediaType.wasmConfig,
  });
  const root = blobs.index(
    native("amd64"),
    native("arm64"),
    {
      ...native("x"),
      platform: { os: "unknown", architecture: "unknown" },
      annotations: { "vnd.docker.reference.type": "attestation-manifest" },
    },
    { ...native("y"), platform: { os: "windows", architecture: "amd64" } },
    wasm,
  );
  const list = await blobs.variants(root);
  expect(
    list.variants.map((variant) => `${variant.kind} ${variant.platform.os}/${variant.platform.architecture}`),
  ).toEqual(["native linux/amd64", "native linux/arm64", "wasm wasip2/wasm"]);
  expect(list.skipped.map((one) => one.reason)).toEqual(["it is an attestation-manifest", "it is for windows/amd64"]);
  expect(blobs.reads).toBe(2);
});

test("a native manifest without an index, and one in an index without platform, are read to see what they are", async () => {
  const blobs = new Blobs();
  const config = blobs.add(mediaType.dockerConfig, {
    os: "linux",
    architecture: "arm64",
    variant: "v8",
    rootfs: { diff_ids: [digestOf("0")] },
  });
  const manifest = blobs.manifest(config, ["application/vnd.docker.image.rootfs.diff.tar.gzip"]);
  const expected = [{ kind: "native", platform: { os: "linux", architecture: "arm64", variant: "v8" }, sizeBytes: 10 }];
  expect((await blobs.variants(manifest)).variants).toMatchObject(expected);
  expect((await blobs.variants(blobs.index(manifest))).variants).toMatchObject(expected);
});

test("annotations of a manifest, and of its entry in an index, mark a Linux image as Wasm", async () => {
  const blobs = new Blobs();
  const config = blobs.add(mediaType.config, linuxConfig);
  const annotations = { "module.wasm.image/variant": "compat" };
  const layers = [{ mediaType: mediaType.layerTar, digest: digestOf("0"), size: 10 }];
  const document = { schemaVersion: 2, mediaType: mediaType.manifest, config, layers };
  const marked = blobs.add(mediaType.manifest, { ...document, annotations });
  expect((await blobs.variants(marked)).variants).toMatchObject([{ kind: "wasm", content: { path: "/app.wasm" } }]);
  const platform = { os: "linux", architecture: "amd64" };
  const plain = blobs.add(mediaType.manifest, document, { platform, annotations });
  expect((await blobs.variants(blobs.index(plain))).variants).toMatchObject([{ kind: "wasm" }]);
  const other = blobs.add(mediaType.manifest, document, { platform });
  expect((await blobs.variants(blobs.index(other))).variants).toMatchObject([{ kind: "native" }]);
});

test("artifacts that are neither are skipped, not run", async () => {
  const blobs = new Blobs();
  const signature = blobs.manifest(blobs.add("application/vnd.cncf.notary.signature", {}), ["application/jose+json"]);
  const chart = blobs.manifest(blobs.add(mediaType.config, { os: "linux", architecture: "amd64" }), [
    "application/x.helm",
  ]);
  const twoWasm = blobs.manifest(blobs.add(mediaType.wasmConfig, cncfConfig), [
    mediaType.wasmLayer,
    mediaType.wasmLayer,
  ]);
  const list = await blobs.variants(blobs.index(signature, chart, twoWasm));
  expect(list.variants).toEqual([]);
  expect(list.skipped).toHaveLength(3);
});

test("indexes in indexes end somewhere", async () => {
  const blobs = new Blobs();
  let root = blobs.manifest(blobs.add(mediaType.wasmConfig, cncfConfig), [mediaType.wasmLayer]);
  root = blobs.index(blobs.index(root));
  expect((await blobs.variants(root)).variants).toHaveLength(1);
  await expect(blobs.variants(blobs.index(blobs.index(root)))).rejects.toMatchObject({ code: "TOO_LARGE" });
});

test("an index of very many unknown manifests is refused before they are all asked for", async () => {
  const blobs = new Blobs();
  const config = blobs.add("application/x", {});
  const children = Array.from({ length: 70 }, (_, index) => blobs.manifest({ ...config, size: index }, []));
  await expect(blobs.variants(blobs.index(...children))).rejects.toMatchObject({ code: "TOO_LARGE" });
  expect(blobs.reads).toBeLessThan(70);
});
