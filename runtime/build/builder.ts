import { mkdir, rename, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { createHash } from "node:crypto";
import { basename, join, resolve } from "node:path";
import {
  ContentStore,
  type Descriptor,
  DockerCredentials,
  type ImageConfig,
  ImageTags,
  mediaType,
  RegistryClient,
  type StoredLayer,
} from "@shallop/sdk/image";
import { type Clock, errorCode, type Random } from "@shallop/sdk/internal";
import {
  type BuildEvent,
  type BuilderRequest,
  type BuilderSettings,
  type BuildOrder,
  type BuiltVariant,
  DockerfileFault,
} from "@shallop/sdk/wire";
import { LayerDirectory } from "../image/layer-directory.ts";
import { idsOfImages, NativeLayers } from "../image/native-layers.ts";
import { UnpackJail } from "../image/unpack-jail.ts";
import { userMap } from "../sandbox/kernel/user-map.ts";
import type { OwnUsers } from "../sandbox/rootless/own-users.ts";
import { JailedReader } from "./archive-jail.ts";
import type { ArchiveReader } from "./archive-reader.ts";
import { BaseImages, layersMax } from "./base-images.ts";
import { readContext } from "./build-context.ts";
import type { BuildTools } from "./build-tools.ts";
import { ImageBuild } from "./image-build.ts";
import { ImagePackages } from "./image-packages.ts";
import { ImageTrees } from "./image-trees.ts";
import { archiveBytesMax, entriesMax } from "./archive-entries.ts";
import { LayerIndexes } from "./layer-index.ts";
import { RunSandbox } from "./run-sandbox.ts";
import { Spool } from "./spool.ts";
import { StepCache } from "./step-cache.ts";

export interface BuilderOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: (event: BuildEvent) => void;
  readonly signal: AbortSignal;
  /** What an ordinary user is root of here; or why of nothing. Undefined: root builds, or not on Linux. */
  readonly rootless?: OwnUsers | string | undefined;
}

/**
 * Carries out all orders, side by side. @returns in their order
 * @throws DockerfileFault, ImageFault: the first, once nothing runs any more
 */
export async function build(request: BuilderRequest, options: BuilderOptions): Promise<readonly BuiltVariant[]> {
  const directory = resolve(request.settings.builderDirectory);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await using _ = await builderLock(directory, request, options);
  if (request.forgets === true) await forget(directory);
  if (request.orders.length === 0) return [];
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const reader = new JailedReader(new UnpackJail(options.clock, process.getuid?.() === 0), signal);
  await using tools = await openTools(request.settings, { ...options, signal, directory, reader });
  const work = request.orders.map((order) => carryOut(tools, order));
  for (const one of work) one.catch((error: unknown) => stop.abort(error));
  const results = await Promise.allSettled(work);
  // The one that failed first, not those that were stopped because of it.
  if (stop.signal.aborted) throw options.signal.aborted ? options.signal.reason : stop.signal.reason;
  return results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
}

async function carryOut(tools: BuildTools, order: BuildOrder): Promise<BuiltVariant> {
  try {
    const context = await readContext(tools, order);
    return await new ImageBuild(tools, order, context).run();
  } catch (error) {
    if (!(error instanceof DockerfileFault) || !error.message.startsWith("line ")) throw error;
    throw new DockerfileFault(error.code, `${basename(order.dockerfile)} ${error.message}`, { cause: error });
  }
}

/** With the form of what is in them: a builder of another version makes its own. */
const [indexName, stepsName, packagesName] = ["index-1", "steps-1", "packages-1"];
/** Unpacked, with all owners that files may have, and those of who has one user alone, which are of no use to others. */
const layerNames = ["layers", "own-layers"] as const;
const archivesName = "archives";

/** Under another name first: what is removed by half is never found. */
async function forget(directory: string): Promise<void> {
  const scratch = join(directory, "scratch");
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  for (const name of [...layerNames, archivesName, indexName, stepsName, packagesName]) {
    await rename(join(directory, name), join(scratch, `forgotten-${name}`)).catch((error: unknown) => {
      if (errorCode(error) !== "ENOENT") throw error;
    });
  }
  await rm(scratch, { recursive: true, force: true });
}

/** One at a time uses the directory. @throws ImageFault STORE_FAILED */
export async function openTools(
  settings: BuilderSettings,
  parts: BuilderOptions & { readonly directory: string; readonly reader: ArchiveReader },
): Promise<BuildTools & AsyncDisposable> {
  const { directory, reader, clock, random, emit, signal, rootless } = parts;
  const place = (name: string): string => join(directory, name);
  // What a killed builder has left goes first.
  await rm(place("scratch"), { recursive: true, force: true });
  for (const name of ["scratch", indexName, stepsName]) await mkdir(place(name), { recursive: true, mode: 0o700 });
  const store = await ContentStore.open(settings.storeDirectory);
  const { defaultRegistry, pull, knownEscapes } = settings;
  const bases = new BaseImages({
    ...{ store, clock, defaultRegistry, pull },
    tags: await ImageTags.open(settings.storeDirectory),
    client: registryClient(settings, clock, random),
  });
  const spool = new Spool(store, reader, place("scratch"));
  let unpacker: Promise<Unpack> | undefined;
  let sandbox: Promise<RunSandbox> | undefined;
  return {
    ...{ settings, store, bases, reader, emit, signal },
    scratch: place("scratch"),
    trees: new ImageTrees(new LayerIndexes(store, reader, place(indexName))),
    cache: new StepCache(store, place(stepsName), settings.useCache),
    ...{ spool, packages: new ImagePackages(spool, place(packagesName)) },
    unpack: async (layers, stop) => (await (unpacker ??= openUnpacker(store, directory, clock, random)))(layers, stop),
    sandbox: () => (sandbox ??= RunSandbox.open({ directory, store, clock, random }, { knownEscapes, rootless })),
    [Symbol.asyncDispose]: async () => {
      await (await sandbox?.catch(() => undefined))?.[Symbol.asyncDispose]();
      await rm(place("scratch"), { recursive: true, force: true });
    },
  };
}

function registryClient(settings: BuilderSettings, clock: Clock, random: Random): RegistryClient {
  const { defaultRegistry, registryToken, dockerConfigDirectory } = settings;
  return new RegistryClient({
    ...{ clock, random },
    credentials:
      dockerConfigDirectory === undefined ? new DockerCredentials() : new DockerCredentials(dockerConfigDirectory),
    endpoints:
      registryToken === undefined
        ? new Map()
        : new Map([[defaultRegistry, { url: `http://${defaultRegistry}`, token: registryToken }]]),
  });
}

/** Unpacking looks at the layers only. */
const configWithoutLayers: ImageConfig = {
  ...{ platform: { os: "linux", architecture: "amd64" }, diffIds: [], env: [], entrypoint: [], cmd: [] },
  ...{ workingDir: "", user: "", exposedPorts: [], stopSignal: "", labels: {} },
};

type Unpack = (layers: readonly StoredLayer[], signal: AbortSignal) => Promise<readonly string[]>;

/** Layers as directories, in a jail, as a node unpacks them. */
async function openUnpacker(store: ContentStore, directory: string, clock: Clock, random: Random): Promise<Unpack> {
  const isRoot = process.getuid?.() === 0;
  const { isWhole, idCount } = userMap();
  const keepsOwners = isRoot && idCount >= idsOfImages;
  // An archive is removed once it is unpacked, and these are still to be pushed: it gets copies.
  const copies = await ContentStore.open(join(directory, archivesName));
  const native = new NativeLayers({
    store: copies,
    layers: await LayerDirectory.open(join(directory, layerNames[keepsOwners ? 0 : 1]), random),
    jail: new UnpackJail(clock, isRoot, keepsOwners),
    limits: { archiveBytesMax, entriesMax, layersMax },
    // They stay in the image that is built, and take no effect here: a container gets no new privileges.
    privileges: { setIds: true, capabilities: true, devices: false },
    isRoot: isRoot && isWhole,
  });
  const fetch = async (layer: Descriptor, signal: AbortSignal): Promise<void> => {
    await copies.ingest(await store.read(layer), layer, signal);
  };
  return async (layers, signal) => {
    const [base] = layers;
    if (base === undefined) return [];
    const manifest = {
      ...{ kind: "manifest" as const, mediaType: mediaType.manifest, annotations: {}, config: base.descriptor },
      layers: layers.map(({ descriptor }) => descriptor),
    };
    const config = { ...configWithoutLayers, diffIds: layers.map(({ diffId }) => diffId) };
    const unpacked = await native.unpack({ manifest, config }, fetch, signal);
    return unpacked.map(({ path }) => path);
  };
}

// A build that waits looks this often whether the other one has ended.
const lockLookMs = 200;

/** One builder at a time uses a directory. A socket without a file is given back by the kernel, however a process ends. */
async function builderLock(
  directory: string,
  { orders }: BuilderRequest,
  { clock, emit, signal }: BuilderOptions,
): Promise<AsyncDisposable> {
  // Only Linux has such sockets, and only Linux runs and unpacks anything here.
  if (process.platform !== "linux") return { [Symbol.asyncDispose]: async () => undefined };
  const name = `\0shallop-builder-${createHash("sha256").update(directory).digest("hex").slice(0, 32)}`;
  for (let waited = false; ; waited = true) {
    const server = await listening(name);
    if (server !== undefined) return { [Symbol.asyncDispose]: () => closed(server) };
    if (!waited) emit({ id: orders[0]?.id ?? "", kind: "note", text: "waiting for another build of this user to end" });
    await clock.sleep(lockLookMs, signal);
  }
}

function listening(name: string): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => void socket.destroy());
    server.once("error", () => resolve(undefined));
    server.listen(name, () => resolve(server));
  });
}

const closed = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()));
