import { readdir, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, digestOf } from "@shallop/sdk/image";
import { expect, test } from "vitest";
import { RegistryBench } from "./registry.fixture.ts";
import type { RegistryServerOptions } from "./server.ts";

const hourMs = 3_600_000;

/** A registry whose files a test makes older. */
async function openAging(options: Partial<RegistryServerOptions> = {}) {
  const bench = await RegistryBench.open(options);
  return {
    bench,
    collect: () => bench.server.collectGarbage(),
    pass: async (hours: number): Promise<void> => {
      for (const entry of await readdir(bench.directory, { recursive: true, withFileTypes: true })) {
        const path = join(entry.parentPath, entry.name);
        if (!entry.isFile()) continue;
        const thenS = ((await stat(path)).mtimeMs - hours * hourMs) / 1000;
        await utimes(path, thenS, thenS);
      }
    },
    [Symbol.asyncDispose]: () => bench[Symbol.asyncDispose](),
  };
}

test("blobs without a manifest and uploads without a client go after a day, named blobs stay", async () => {
  await using aging = await openAging();
  const { bench } = aging;
  await bench.blob("app", "stray");
  await bench.image("app", "1", ["layer"]);
  await bench.call("POST", "/v2/app/blobs/uploads/");
  expect(await aging.collect()).toEqual({ removed: 0, removedBytes: 0, manifestsRemoved: 0 });
  await aging.pass(25);
  expect(await aging.collect()).toEqual({ removed: 1, removedBytes: 5, manifestsRemoved: 0 });
  expect(await readdir(join(bench.directory, "uploads"))).toEqual([]);
  expect(await bench.has("app", "manifests/1")).toBe(true);
  expect(await bench.has("app", `blobs/${digestOf("layer")}`)).toBe(true);
});

test("what a client was told is here stays until it can have named it, however old it is", async () => {
  await using aging = await openAging();
  const { bench } = aging;
  const [layer, mounted, plain] = await Promise.all(
    ["layer", "mounted", "plain"].map((body) => bench.blob("app", body)),
  );
  await aging.pass(25);
  // A push that looks first, and one that mounts; nobody asks for the third.
  expect(await bench.has("app", `blobs/${layer}`)).toBe(true);
  expect(await bench.outcome("POST", `/v2/other/blobs/uploads/?mount=${mounted}&from=app`)).toBe("201");
  await aging.collect();
  const stays = (name: string, digest: string | undefined): Promise<boolean> => bench.has(name, `blobs/${digest}`);
  expect([await stays("app", layer), await stays("other", mounted), await stays("app", plain)]).toEqual([
    true,
    true,
    false,
  ]);
});

test("a layer whose manifest was deleted goes from its repository, and stays in the one that names it", async () => {
  await using aging = await openAging();
  const { bench } = aging;
  const gone = await bench.image("one", "1", ["shared", "own"]);
  await bench.image("two", "1", ["shared"]);
  expect(await bench.outcome("DELETE", `/v2/one/manifests/${gone}`)).toBe("202");
  await aging.pass(25);
  expect((await aging.collect()).removed).toBe(2);
  expect(await bench.has("one", `blobs/${digestOf("shared")}`)).toBe(false);
  expect(await bench.has("two", `blobs/${digestOf("shared")}`)).toBe(true);
});

test("manifests without a tag stay, unless told otherwise", async () => {
  await using aging = await openAging();
  const untagged = await aging.bench.image("app", "", ["layer"]);
  await aging.pass(24 * 365);
  await aging.collect();
  expect(await aging.bench.has("app", `manifests/${untagged}`)).toBe(true);
});

test("told so, untagged manifests go; what a tag, an index, a referrer or a running image holds stays", async () => {
  const running = new Set<Digest>();
  await using aging = await openAging({
    garbage: { untaggedLifetimeMs: 48 * hourMs, inUse: () => Promise.resolve(running) },
  });
  const { bench } = aging;
  const sizeOf = async (digest: Digest): Promise<number> =>
    Number((await bench.call("HEAD", `/v2/app/manifests/${digest}`)).headers.get("content-length"));
  const descriptor = async (digest: Digest) => ({ digest, size: await sizeOf(digest) });
  const images = {
    child: await bench.image("app", "", ["child"]),
    moved: await bench.image("app", "1", ["moved"]),
    runs: await bench.image("app", "", ["runs"]),
    runsWithin: await bench.image("app", "", ["runs-within"]),
  };
  const tagged = await bench.index("app", "1", [await descriptor(images.child)]);
  const subject = await descriptor(tagged);
  const signature = await bench.image("app", "", ["signature"], {
    subject: { mediaType: "application/vnd.oci.image.index.v1+json", ...subject },
  });
  const runningIndex = await bench.index("app", "2", [await descriptor(images.runsWithin)]);
  await bench.index("app", "2", []);
  running.add(images.runs).add(runningIndex);
  await aging.pass(49);
  const young = await bench.image("app", "", ["young"]);
  const { manifestsRemoved } = await aging.collect();
  const there = async (digest: Digest): Promise<boolean> => bench.has("app", `manifests/${digest}`);
  expect([manifestsRemoved, await there(images.moved)]).toEqual([1, false]);
  const kept = [tagged, images.child, signature, images.runs, runningIndex, images.runsWithin, young];
  expect(await Promise.all(kept.map(there))).toEqual(kept.map(() => true));
});

test("while nobody knows what runs, no manifest goes", async () => {
  await using aging = await openAging({
    garbage: { untaggedLifetimeMs: hourMs, inUse: () => Promise.resolve(undefined) },
  });
  await aging.bench.image("app", "", ["layer"]);
  await aging.pass(30);
  expect((await aging.collect()).manifestsRemoved).toBe(0);
});

test("pushes of one old layer and collections, side by side: no image ever lacks a layer", async () => {
  await using aging = await openAging();
  const { bench } = aging;
  for (let round = 0; round < 10; round++) {
    const layer = await bench.blob("app", "old");
    await aging.pass(25);
    // As clients push: is the layer there? Then it is not sent again.
    const push = async (): Promise<string> => {
      const isThere = await bench.has("app", `blobs/${layer}`);
      if (!isThere) await bench.blob("app", "old");
      const config = await bench.blob("app", "{}");
      const body = JSON.stringify({
        schemaVersion: 2,
        config: { mediaType: "x", digest: config, size: 2 },
        layers: [{ mediaType: "y", digest: layer, size: 3 }],
      });
      return bench.outcome("PUT", "/v2/app/manifests/1", { body });
    };
    const [pushed] = await Promise.all([push(), aging.collect()]);
    expect(pushed).toBe("201");
    expect(await (await bench.call("GET", `/v2/app/blobs/${layer}`)).text()).toBe("old");
    expect(await bench.outcome("DELETE", `/v2/app/manifests/1`)).toBe("202");
    const { headers } = await bench.call("GET", "/v2/app/tags/list");
    expect(headers.get("content-type")).toBe("application/json");
    for (const digest of await manifestsOf(bench)) await bench.call("DELETE", `/v2/app/manifests/${digest}`);
  }
});

async function manifestsOf({ directory }: RegistryBench): Promise<readonly string[]> {
  const files = await readdir(join(directory, "repositories/app/_manifests/sha256")).catch(() => []);
  return files.map((hex) => `sha256:${hex}`);
}
