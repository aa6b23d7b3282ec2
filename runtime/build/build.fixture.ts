import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type ContentStore, parseImageConfig, parseManifest, type StoredLayer } from "@shallop/sdk/image";
import { systemClock, systemRandom } from "@shallop/sdk/internal";
import type { BuildEvent, BuilderSettings, BuildOrder, BuiltVariant } from "@shallop/sdk/wire";
import { imageArchitecture } from "../image/choose.ts";
import { plainReader } from "./archive-reader.ts";
import { readContext } from "./build-context.ts";
import { openTools } from "./builder.ts";
import { type FileNode, fromName, joined } from "./file-tree.ts";
import { ImageBuild } from "./image-build.ts";
import { imageText, ImageTrees } from "./image-trees.ts";
import { LayerIndexes } from "./layer-index.ts";
import { Spool } from "./spool.ts";

/** A built image, read again as any other would be. */
export interface Outcome {
  readonly built: BuiltVariant;
  readonly events: readonly BuildEvent[];
  readonly config: Record<string, unknown>;
  /** Every file: its path, and `mode uid:gid` with what it is: text of a file, target of a link. */
  readonly files: Readonly<Record<string, string>>;
}

const ownPlatform = `linux/${imageArchitecture(process.arch)}`;

/** Builds Dockerfiles without RUN in this process, in a directory that goes away. */
export interface Workshop extends AsyncDisposable {
  readonly directory: string;
  readonly settings: BuilderSettings;
  /** Writes files into the context: texts and bytes. */
  write(files: Readonly<Record<string, string | Uint8Array>>): Promise<void>;
  build(dockerfile: string, options?: Partial<BuildOrder>): Promise<Outcome>;
}

export async function openWorkshop(settings: Partial<BuilderSettings> = {}): Promise<Workshop> {
  const directory = await mkdtemp(join(tmpdir(), "shallop-dockerfile-"));
  const context = join(directory, "context");
  await mkdir(context);
  const all: BuilderSettings = {
    storeDirectory: join(directory, "store"),
    builderDirectory: join(directory, "builder"),
    defaultRegistry: "127.0.0.1:1",
    createdMs: 0,
    useCache: true,
    pull: false,
    knownEscapes: "refuse",
    run: { network: "none", memoryBytes: 1 << 30, cpu: 1, pidsMax: 100, timeoutMs: 60_000 },
    ...settings,
  };
  const write = async (files: Readonly<Record<string, string | Uint8Array>>): Promise<void> => {
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(context, name)), { recursive: true });
      await writeFile(join(context, name), content);
    }
  };
  return {
    directory,
    settings: all,
    write,
    build: async (dockerfile, options = {}) => {
      await writeFile(join(directory, "Dockerfile"), dockerfile);
      return buildIn(directory, all, {
        ...{ id: "test", context, dockerfile: join(directory, "Dockerfile"), platform: ownPlatform },
        ...{ buildArgs: {}, labels: {}, ...options },
      });
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

async function buildIn(directory: string, settings: BuilderSettings, order: BuildOrder): Promise<Outcome> {
  const events: BuildEvent[] = [];
  await using tools = await openTools(settings, {
    ...{ directory: settings.builderDirectory, reader: plainReader, clock: systemClock, random: systemRandom },
    emit: (event) => void events.push(event),
    signal: new AbortController().signal,
  });
  const built = await new ImageBuild(tools, order, await readContext(tools, order)).run();
  return { built, events, ...(await readImage(tools.store, await tools.store.readBytes(built.manifest), directory)) };
}

/** An image of a store as its reader sees it. */
export async function readImage(
  store: ContentStore,
  manifest: Uint8Array,
  scratch: string,
): Promise<Pick<Outcome, "config" | "files">> {
  const document = parseManifest(manifest, undefined);
  if (document.kind !== "manifest") throw new Error("an index was built");
  const bytes = await store.readBytes(document.config);
  const { diffIds } = parseImageConfig(bytes);
  const layers = document.layers.map((descriptor, index) => ({ descriptor, diffId: diffIds[index] }) as StoredLayer);
  const index = await mkdtemp(join(scratch, "index-"));
  const tree = await new ImageTrees(new LayerIndexes(store, plainReader, index)).tree(layers);
  const spool = new Spool(store, plainReader, index);
  const files: Record<string, string> = {};
  const visit = async (node: FileNode, path: string): Promise<void> => {
    const what =
      node.kind === "file"
        ? await imageText(tree, path, spool)
        : node.kind === "symlink"
          ? `-> ${fromName(node.target)}`
          : `(${node.kind})`;
    if (path !== "") files[fromName(path)] = `${node.mode.toString(8)} ${node.uid}:${node.gid} ${what}`;
    if (node.kind !== "directory") return;
    for (const [name, child] of node.children) await visit(child, joined(path, name));
  };
  await visit(tree, "");
  return { config: JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>, files };
}
