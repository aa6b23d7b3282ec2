import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NodeImages } from "../../runtime/image/node-images.ts";
import { guestComponent } from "../../runtime/host/testing/components.ts";
import { never, RuntimeFixture } from "../../runtime/host/testing/runtime-fixture.ts";
import {
  ContentStore,
  type Descriptor,
  digestOf,
  type ImageReference,
  mediaType,
  parseReference,
  pushImage,
  RegistryClient,
  writeImage,
} from "../../sdk/image/index.ts";
import { systemClock } from "../../sdk/internal/index.ts";
import { figure, median } from "./figures.ts";
import { nativeBench, type RootfsBench, rootfsBench } from "./native.bench.ts";
import { type Registry, startDebianRegistry, startOurRegistry } from "./registries.ts";
import { type Unseen, unseenComponent } from "./unseen-component.ts";

export interface ImagesBench {
  /** Blobs of one push or pull, and bytes of each. */
  readonly blobs: number;
  readonly blobBytes: number;
  readonly rounds: number;
  /** Images that are pulled and started, each for the first time. */
  readonly starts: number;
  /** Starts of a native pod by each runtime. */
  readonly nativeStarts: number;
  readonly rootfs: RootfsBench;
}

export const largeImagesBench: ImagesBench = {
  blobs: 4,
  blobBytes: 32 * 1024 ** 2,
  rounds: 5,
  starts: 9,
  nativeStarts: 15,
  rootfs: { bytes: 100e6, rounds: 5 },
};
export const smallImagesBench: ImagesBench = {
  blobs: 2,
  blobBytes: 1024 ** 2,
  rounds: 1,
  starts: 1,
  nativeStarts: 1,
  rootfs: { bytes: 1e6, rounds: 1 },
};

/** As large as the component of the goal. */
const componentBytes = 1_700_000;
const goalMs = 40;
/** A node on which nothing happens. */
const restMs = 2500;

/** The registry beside Debian's, by the same client in the same minutes; and the way from it to a first answer. */
export async function imagesBench(size: ImagesBench): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "shallop-bench-images-"));
  try {
    await using ours = await startOurRegistry(join(directory, "ours"));
    await using theirs = await startDebianRegistry(join(directory, "theirs"));
    console.log(`\nregistry, ${size.blobs} blobs of ${size.blobBytes / 1024 ** 2} MiB, alternating, medians`);
    if (theirs === undefined) figure("docker-registry", "not here", "a package of Debian");
    await throughput(size, [ours, ...(theirs === undefined ? [] : [theirs])]);
    console.log("\nfrom the registry to the first answer, each image for the first time");
    await firstAnswers(size, ours, { directory: join(directory, "new"), unseen: "all" });
    await firstAnswers(size, ours, { directory: join(directory, "known"), unseen: "all but the engine" });
    await rootfsBench(size.rootfs, ours.host);
    await nativeBench(size.nativeStarts);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function throughput(size: ImagesBench, registries: readonly Registry[]): Promise<void> {
  using client = new RegistryClient();
  const rates = new Map(registries.map(({ name }) => [name, { push: [] as number[], pull: [] as number[] }]));
  for (let round = 0; round < size.rounds; round++) {
    const blobs = Array.from({ length: size.blobs }, () => randomBytes(size.blobBytes));
    // Who is first in one round is last in the next.
    for (const { name, host } of round % 2 === 0 ? registries : registries.toReversed()) {
      const repository = parseReference("bench/app:1", { defaultRegistry: host });
      rates.get(name)?.push.push(await mebibytesPerSecond(size, () => pushAll(client, repository, blobs)));
      rates.get(name)?.pull.push(await mebibytesPerSecond(size, () => pullAll(client, repository, blobs)));
    }
  }
  for (const direction of ["push", "pull"] as const) {
    const [ours = Number.NaN, theirs] = registries.map(({ name }) => median(rates.get(name)?.[direction] ?? []));
    const beside =
      theirs === undefined ? "" : `docker-registry ${theirs.toFixed(0)}: ${(ours / theirs).toFixed(2)} of it`;
    figure(direction, `${ours.toFixed(0)} MiB/s`, beside);
  }
}

async function mebibytesPerSecond(size: ImagesBench, act: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await act();
  return (size.blobs * size.blobBytes) / 1024 ** 2 / ((performance.now() - began) / 1000);
}

const descriptorOf = (bytes: Uint8Array): Descriptor => ({
  mediaType: mediaType.octets,
  digest: digestOf(bytes),
  size: bytes.length,
});

async function pushAll(
  client: RegistryClient,
  repository: ImageReference,
  blobs: readonly Uint8Array[],
): Promise<void> {
  const open = async function* (bytes: Uint8Array, offset: number): AsyncGenerator<Uint8Array, void, undefined> {
    const step = 256 * 1024;
    for (let at = offset; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
  };
  await Promise.all(
    blobs.map((bytes) =>
      client.pushBlob(repository, { descriptor: descriptorOf(bytes), open: (offset) => open(bytes, offset) }),
    ),
  );
}

/** Read and checked, and not kept: the disk of who pulls is not what is measured. */
async function pullAll(
  client: RegistryClient,
  repository: ImageReference,
  blobs: readonly Uint8Array[],
): Promise<void> {
  await Promise.all(
    blobs.map(async (bytes) => {
      let length = 0;
      for await (const chunk of client.blob(repository, descriptorOf(bytes))) length += chunk.length;
      if (length !== bytes.length) throw new Error(`${length} of ${bytes.length} bytes came`);
    }),
  );
}

/** Resolve, pull, prepare, start, answer: on a node that runs, for a component that it has never seen, of an engine that it has not or has. */
async function firstAnswers(
  size: ImagesBench,
  registry: Registry,
  { directory, unseen }: { readonly directory: string; readonly unseen: Unseen },
): Promise<void> {
  await mkdir(directory);
  using client = new RegistryClient();
  const store = await ContentStore.open(join(directory, "built"));
  await using fixture = await RuntimeFixture.open();
  const runtime = await fixture.runtime();
  const images = await NodeImages.open({ directory: join(directory, "node"), client });
  const phases: { pull: number; prepare: number; start: number; total: number }[] = [];
  for (let index = 0; index < size.starts; index++) {
    const reference = parseReference(`bench/first:${index}`, { defaultRegistry: registry.host });
    await publish(client, store, reference, { path: join(directory, "component.wasm"), unseen });
    const began = performance.now();
    const resolved = await images.resolve(reference, never);
    const variant = resolved.variants.find(({ kind }) => kind === "wasm");
    if (variant === undefined) throw new Error("the image has no Wasm variant");
    const image = await images.fetch(resolved, variant, { signal: never });
    if (image.variant !== "wasm") throw new Error("the Wasm variant became another one");
    const pulled = performance.now();
    await runtime.prepare(image, never);
    const prepared = performance.now();
    const pod = await runtime.start(fixture.launch(image), never);
    const wire = await fixture.connect(pod);
    const { head } = await wire.get("/hello");
    const answered = performance.now();
    wire[Symbol.dispose]();
    if (head.status !== 200) throw new Error(`the first answer is ${head.status}`);
    await runtime.stop(pod.uid, 0);
    // What a start has left to do shall not be counted against the next; a jail for the next component is the longest of it.
    if (index + 1 < size.starts) await systemClock.sleep(restMs);
    phases.push({
      pull: pulled - began,
      prepare: prepared - pulled,
      start: answered - prepared,
      total: answered - began,
    });
  }
  const p50 = (key: keyof (typeof phases)[number]): number => median(phases.map((phase) => phase[key]));
  const parts = `pull ${p50("pull").toFixed(1)}, prepare ${p50("prepare").toFixed(1)}, start and answer ${p50("start").toFixed(1)}`;
  const what = unseen === "all" ? "component of 1.7 MB" : "the same, its engine known to the tenant";
  figure(`${what}: p50`, `${p50("total").toFixed(1)} ms`, `goal ${goalMs} ms; ${parts}`);
}

async function publish(
  client: RegistryClient,
  store: ContentStore,
  reference: ImageReference,
  component: { readonly unseen: Unseen; readonly path: string },
): Promise<void> {
  const { path, unseen } = component;
  const guest = await readFile((await guestComponent()).path);
  await writeFile(path, unseenComponent(guest, componentBytes, unseen));
  const image = await writeImage(store, { wasm: { path, component: { imports: [], exports: [] } }, native: [] });
  await pushImage(client, store, { reference, target: image.index });
}
