import { chmod, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync, zstdCompressSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ContentStore } from "./content-store.ts";
import { digestOf } from "./digest.ts";
import { packDirectory, storeArchiveFile } from "./layer-archive.ts";
import { type ImageSource, writeImage } from "./write-image.ts";

let directory: string;
let store: ContentStore;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "shallop-write-"));
  store = await ContentStore.open(join(directory, "store"));
  await writeFile(join(directory, "app.wasm"), Buffer.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]));
});

afterEach(() => rm(directory, { recursive: true, force: true }));

async function tree(name: string, order: readonly string[]): Promise<string> {
  const root = join(directory, name);
  for (const file of order) {
    await mkdir(join(root, file, ".."), { recursive: true });
    await writeFile(join(root, file), file);
  }
  await symlink("bin/app", join(root, "link"));
  return root;
}

const text = async (digest: Parameters<ContentStore["readBytes"]>[0]): Promise<string> =>
  new TextDecoder().decode(await store.readBytes(digest));

test("the same source gives the same digest, whoever builds it when", async () => {
  const long = `${"deep/".repeat(30)}file`;
  const one = await tree("one", ["bin/app", "etc/b", long, "etc/a", "ü"]);
  const two = await tree("two", ["ü", "etc/a", long, "bin/app", "etc/b"]);
  await chmod(join(two, "etc/a"), 0o600);
  await chmod(join(two, "etc"), 0o700);
  await utimes(join(two, "etc/b"), 1, 2);
  const source = (root: string, annotations: Record<string, string>): ImageSource => ({
    wasm: { path: join(directory, "app.wasm"), component: { imports: ["a:b/c"], exports: [] } },
    native: [
      {
        platform: { os: "linux", architecture: "amd64" },
        layers: [{ directory: root }],
        config: { cmd: ["/bin/app"] },
      },
    ],
    annotations,
  });
  const first = await writeImage(store, source(one, { a: "1", b: "2" }));
  const second = await writeImage(await ContentStore.open(join(directory, "other")), source(two, { b: "2", a: "1" }));
  expect(second).toEqual(first);
  await chmod(join(two, "etc/a"), 0o755);
  expect((await writeImage(store, source(two, { a: "1", b: "2" }))).index.digest).not.toBe(first.index.digest);
});

test("the index: native first, Wasm last, a platform on each; the Wasm manifest is the CNCF artifact", async () => {
  const root = await tree("root", ["bin/app"]);
  const image = await writeImage(store, {
    wasm: {
      path: join(directory, "app.wasm"),
      component: {
        imports: ["wasi:cli/environment@0.2.0"],
        exports: ["wasi:http/incoming-handler@0.2.0"],
        target: "wasi:http/proxy@0.2.0",
      },
    },
    native: [
      {
        platform: { os: "linux", architecture: "arm64", variant: "v8" },
        layers: [{ directory: root }],
        config: { entrypoint: ["/bin/app"] },
      },
    ],
  });
  const index = JSON.parse(await text(image.index));
  expect(index.manifests.map((entry: { platform: object }) => entry.platform)).toEqual([
    { architecture: "arm64", os: "linux", variant: "v8" },
    { architecture: "wasm", os: "wasip2" },
  ]);
  const layer = digestOf(Buffer.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]));
  const config = `{"created":"1970-01-01T00:00:00Z","author":null,"architecture":"wasm","os":"wasip2","layerDigests":["${layer}"],"component":{"exports":["wasi:http/incoming-handler@0.2.0"],"imports":["wasi:cli/environment@0.2.0"],"target":"wasi:http/proxy@0.2.0"}}`;
  expect(await text(image.wasm!)).toBe(
    `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.wasm.config.v0+json","digest":"${digestOf(config)}","size":${config.length}},"layers":[{"mediaType":"application/wasm","digest":"${layer}","size":8,"annotations":{"org.opencontainers.image.title":"app.wasm"}}]}`,
  );
  expect(await text({ digest: digestOf(config) })).toBe(config);
  expect(index.manifests[1].artifactType).toBe("application/vnd.wasm.config.v0+json");
});

test("a layer: sorted, of root, without set-id bits; the diff id is that of the archive", async () => {
  const root = await tree("root", ["b", "a/x"]);
  await chmod(join(root, "b"), 0o4711);
  const layer = await packDirectory(store, root, 5_000);
  const packed = await store.readBytes(layer.descriptor);
  const archive = gunzipSync(packed);
  expect(digestOf(archive)).toBe(layer.diffId);
  expect(packed[9]).toBe(0xff);
  const names: string[] = [];
  for (let offset = 0; archive[offset] !== 0;) {
    const field = (at: number, length: number): string =>
      archive.toString("latin1", offset + at, offset + at + length).replace(/[\0 ].*$/s, "");
    names.push(`${field(0, 100)} ${field(100, 8)} ${field(108, 8)} ${Number.parseInt(field(136, 12), 8)}`);
    offset += 512 + Math.ceil(Number.parseInt(field(124, 12), 8) / 512) * 512;
  }
  expect(names).toEqual(["a/ 000755 000000 5", "a/x 000644 000000 5", "b 000755 000000 5", "link 000777 000000 5"]);
});

test("an archive is taken as it is when it is compressed; a broken one is refused", async () => {
  const archive = Buffer.alloc(1024);
  await writeFile(join(directory, "a.tar"), archive);
  await writeFile(join(directory, "a.tgz"), gzipSync(archive, { level: 1 }));
  const plain = await storeArchiveFile(store, join(directory, "a.tar"));
  const packed = await storeArchiveFile(store, join(directory, "a.tgz"));
  expect(plain.diffId).toBe(digestOf(archive));
  expect(packed.diffId).toBe(digestOf(archive));
  expect(packed.descriptor.digest).toBe(digestOf(gzipSync(archive, { level: 1 })));
  await writeFile(join(directory, "a.tzst"), zstdCompressSync(archive));
  expect(await storeArchiveFile(store, join(directory, "a.tzst"))).toEqual(plain);
  const none: Readonly<Record<string, Buffer>> = {
    "cut off": gzipSync(archive).subarray(0, 15),
    "another compression": Buffer.from("\xfd7zXZ\0".padEnd(600, "x"), "latin1"),
    "something else, compressed": gzipSync("hello ".repeat(200)),
    short: Buffer.from("hello"),
  };
  for (const [name, bytes] of Object.entries(none)) {
    await writeFile(join(directory, name), bytes);
    await expect(storeArchiveFile(store, join(directory, name)), name).rejects.toMatchObject({ code: "LAYER_INVALID" });
  }
});

test("what cannot be packed is named", async () => {
  const root = await tree("root", ["a"]);
  const server = createServer().listen(join(root, "socket"));
  await new Promise((resolve) => server.once("listening", resolve));
  await expect(packDirectory(store, root, 0)).rejects.toThrow(
    expect.objectContaining({ code: "LAYER_INVALID", message: expect.stringContaining("socket") }),
  );
  server.close();
  await expect(writeImage(store, {})).rejects.toMatchObject({ code: "MANIFEST_INVALID" });
  const wasm = { path: join(directory, "absent.wasm"), component: { imports: [], exports: [] } };
  await expect(writeImage(store, { wasm })).rejects.toMatchObject({ code: "STORE_FAILED" });
});
