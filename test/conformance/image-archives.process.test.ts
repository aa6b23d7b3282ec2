import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { styleFor } from "../../sdk/cli/output/style.ts";
import type { Context } from "../../sdk/cli/context.ts";
import { createProgram } from "../../sdk/cli/program.ts";
import { ContentStore, ImageTags, mediaType, parseReference, writeImage } from "../../sdk/image/index.ts";
import { systemClock } from "../../sdk/internal/index.ts";

// Archives of images between Shallop and other people's tools, and what else is done with images on one machine.

let directory: string;
let printed: string[];
let context: Context;
const architecture = process.arch === "arm64" ? "arm64" : "amd64";
const name = "127.0.0.1:5000/hello:1";

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "shallop-archives-"));
  await fresh("first");
  mkdirSync(join(directory, "root"));
  writeFileSync(join(directory, "root/hello"), "hello");
  writeFileSync(join(directory, "app.wasm"), Buffer.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]));
  const { store, tags } = await openStore();
  const image = await writeImage(store, {
    wasm: { path: join(directory, "app.wasm"), component: { imports: ["a:b/c@0.1.0"], exports: [] } },
    native: [
      {
        platform: { os: "linux", architecture },
        layers: [{ directory: join(directory, "root") }],
        config: { entrypoint: ["/hello"], labels: { team: "blue" } },
      },
    ],
  });
  await tags.set(parseReference(name, { defaultRegistry: "x" }), image.index, 0);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function openStore() {
  const images = join(context.cacheDirectory, "images");
  return { store: await ContentStore.open(images), tags: await ImageTags.open(images) };
}

/** Another user, who has no images. */
async function fresh(user: string): Promise<void> {
  printed = [];
  context = {
    clock: systemClock,
    style: styleFor(false),
    environment: { SHALLOP_DATA: join(directory, "no-platform") },
    cacheDirectory: join(directory, user),
    print: (text) => void printed.push(text),
    progress: () => ({ step: () => undefined, line: () => undefined, done: () => undefined }),
  };
}

async function shallop(...args: readonly string[]): Promise<string> {
  printed = [];
  await createProgram(context).parseAsync(["node", "shallop", ...args]);
  return printed.join("\n");
}

function run(program: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr}`);
  return stdout;
}

const file = (base: string): string => join(directory, base);
const podman = (...args: readonly string[]): string =>
  run("podman", "--root", file("podman"), "--runroot", file("podman-run"), "--storage-driver=vfs", ...args);

interface Listed {
  readonly image: { readonly name: string; readonly target: { readonly digest: string } };
  readonly variants: readonly { readonly platform: string }[];
}
const listed = async (...args: readonly string[]): Promise<readonly Listed[]> =>
  JSON.parse(await shallop("images", "-o", "json", ...args)) as readonly Listed[];

test("what save writes, skopeo and podman read; what they write, load reads; the digest stays", async () => {
  const [original] = await listed();
  await shallop("save", "-o", file("saved.tar"), name);
  const layout = JSON.parse(run("skopeo", "inspect", "--raw", `oci-archive:${file("saved.tar")}`)) as { manifests: [] };
  expect(layout.manifests).toHaveLength(2);
  const docker = run("skopeo", "inspect", "--config", `docker-archive:${file("saved.tar")}:${name}`);
  expect(docker).toContain('"/hello"');
  expect(podman("load", "-i", file("saved.tar"))).toContain(name);
  expect(podman("image", "inspect", name, "--format", "{{.Config.Entrypoint}}")).toContain("/hello");
  podman("save", "--format=docker-archive", "-o", file("podman.tar"), name);
  podman("save", "--format=oci-archive", "-o", file("podman-oci.tar"), name);
  run("skopeo", "copy", "--all", `oci-archive:${file("saved.tar")}`, `oci-archive:${file("skopeo.tar")}:${name}`);
  writeFileSync(file("podman.tar.gz"), gzipSync(readFileSync(file("podman.tar"))));

  await fresh("second");
  expect(await shallop("load", "-i", file("saved.tar"))).toBe(`Loaded image: ${name}`);
  expect(await listed()).toEqual([
    { ...original, image: { ...original?.image, taggedAt: expect.any(String) as string } },
  ]);
  await fresh("third");
  expect(await shallop("load", "-i", file("skopeo.tar"))).toBe(`Loaded image: ${name}`);
  expect((await listed())[0]?.variants).toEqual(original?.variants);
  for (const archive of ["podman.tar", "podman.tar.gz", "podman-oci.tar"]) {
    await fresh(`from ${archive}`);
    expect(await shallop("load", "-i", file(archive))).toBe(`Loaded image: ${name}`);
    expect((await listed())[0]?.variants[0]?.platform).toBe(`linux/${architecture}`);
    // Nothing that is no part of the image is left.
    expect(await shallop("images", "-a", "-q")).not.toContain("\n");
  }
});

test("an archive that lies is refused", async () => {
  await fresh("liar");
  const [root] = [file("liar-tree")];
  run("tar", "-xf", file("podman.tar"), "-C", (mkdirSync(root), root));
  const [entry] = JSON.parse(readFileSync(join(root, "manifest.json"), "utf8")) as [
    { Layers: string[]; Config: string },
  ];
  const repack = (): string => {
    run("tar", "-cf", file("liar.tar"), "-C", root, ".");
    return file("liar.tar");
  };
  const write = (change: object): void =>
    writeFileSync(join(root, "manifest.json"), JSON.stringify([{ ...entry, ...change }]));
  run("tar", "-cf", join(root, "other.tar"), "-C", root, "manifest.json");
  write({ Layers: ["other.tar"] });
  await expect(shallop("load", "-i", repack())).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
  write({ Layers: [entry.Config] });
  await expect(shallop("load", "-i", repack())).rejects.toMatchObject({ code: "LAYER_INVALID" });
  write({ Layers: ["../../../etc/passwd"] });
  await expect(shallop("load", "-i", repack())).rejects.toMatchObject({ code: "BLOB_UNKNOWN" });
  rmSync(join(root, "manifest.json"));
  await expect(shallop("load", "-i", repack())).rejects.toMatchObject({ code: "MANIFEST_INVALID" });
  await expect(shallop("load", "-i", file("app.wasm"))).rejects.toMatchObject({ code: "LAYER_INVALID" });
  expect(await listed("-a")).toEqual([]);
});

test("names are given and taken; the last one takes the image with it; prune takes what has none", async () => {
  await fresh("second");
  await shallop("tag", name, "copy:2");
  await shallop("tag", "copy:2", "team/other");
  expect((await listed()).map(({ image }) => image.name)).toEqual([
    "127.0.0.1:5000/copy:2",
    name,
    "127.0.0.1:5000/team/other:latest",
  ]);
  expect((await listed("--filter", "reference=cop*")).map(({ image }) => image.name)).toEqual([
    "127.0.0.1:5000/copy:2",
  ]);
  expect(await listed("--filter", "label=team=red")).toEqual([]);
  expect(await listed("--filter", "label=team=blue")).toHaveLength(3);
  await expect(shallop("images", "--filter", "colour=red")).rejects.toMatchObject({ code: "FILTER_INVALID" });
  expect(await shallop("rmi", "copy:2")).toBe("Untagged: 127.0.0.1:5000/copy:2");
  const { digest } = (await listed())[0]!.image.target;
  await expect(shallop("rmi", digest.slice(7, 19))).rejects.toMatchObject({ code: "DENIED" });
  await expect(shallop("rmi", "nobody:1")).rejects.toMatchObject({ code: "MANIFEST_UNKNOWN" });
  const { store } = await openStore();
  const dangling = await store.put(
    Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaType.index, manifests: [] })),
    mediaType.index,
  );
  expect((await listed("--filter", "dangling=true")).map(({ image }) => image.target.digest)).toEqual([
    dangling.digest,
  ]);
  await expect(shallop("prune")).rejects.toMatchObject({ code: "USAGE" });
  expect(JSON.parse(await shallop("prune", "-f", "-o", "json"))).toMatchObject({
    deleted: [dangling.digest],
    untagged: [],
  });
  const usage = JSON.parse(await shallop("system", "df", "-o", "json")) as {
    usage: { total: number; sizeBytes: number }[];
  };
  expect(usage.usage[0]).toMatchObject({ total: 1, active: 0 });
  const removed = await shallop("rmi", "-f", digest.slice(0, 19));
  expect(removed).toContain(`Untagged: ${name}`);
  expect(removed).toContain(`Deleted: ${digest}`);
  const left = [];
  for await (const blob of store.list()) left.push(blob.digest);
  expect(left).toEqual([]);
});

test("prune --all takes images that no pod uses, with filters", async () => {
  await fresh("third");
  expect(await shallop("prune", "-a", "-f", "--filter", "until=24h")).toBe("Total reclaimed space: 0 B");
  expect(await listed()).toHaveLength(1);
  expect(await shallop("prune", "-a", "-f")).toContain(`Untagged: ${name}`);
  expect(await listed("-a")).toEqual([]);
});

test("history has each variant's steps with their layers", async () => {
  await fresh("first");
  const histories = JSON.parse(await shallop("history", name, "-o", "json")) as {
    readonly platform: string;
    readonly steps: readonly { readonly createdBy: string; readonly layer?: { readonly size: number } }[];
  }[];
  expect(histories.map(({ platform }) => platform)).toEqual([`linux/${architecture}`, "wasip2/wasm"]);
  expect(histories[0]?.steps).toMatchObject([
    { createdBy: "shallop build", layer: { size: expect.any(Number) as number } },
  ]);
  expect(histories[1]?.steps[0]?.layer?.size).toBe(8);
  expect(await shallop("history", name)).toContain("shallop build");
});
