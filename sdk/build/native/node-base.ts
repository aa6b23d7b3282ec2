import { execFileSync } from "node:child_process";
import { chmod, copyFile, mkdir, readdir, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  type ContentStore,
  digestHex,
  digestOf,
  fileBytes,
  mediaType,
  packDirectory,
  parseDigest,
  type StoredLayer,
} from "../../image/index.ts";

export interface NodeBaseOptions {
  readonly store: ContentStore;
  /** Where the last one is kept between builds. */
  readonly cacheDirectory: string;
  /** For files that are gone afterwards. */
  readonly scratch: string;
  /** What the times of its files say. */
  readonly mtimeMs: number;
}

/** A file of this machine and where it is in the image. */
interface BaseFile {
  readonly from: string;
  readonly to: string;
}

/**
 * The layer with the Node that builds and the libraries it needs. To compress 130 MB takes seconds, and it is the same for each
 * function until Node or the machine changes: so the last one is kept, under a name that says of which files it was made.
 * @throws ImageFault
 */
export async function nodeBase(options: NodeBaseOptions): Promise<StoredLayer> {
  const files = await baseFiles();
  const directory = join(options.cacheDirectory, "node-base");
  const key = await keyOf(files, options.mtimeMs);
  return (await keptLayer(options.store, directory, key)) ?? makeLayer(files, options, { directory, key });
}

async function baseFiles(): Promise<readonly BaseFile[]> {
  // `libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x…)` and, for the loader, `/lib64/ld-linux-x86-64.so.2 (0x…)`.
  const listed = execFileSync("ldd", [process.execPath], { encoding: "utf8" });
  const libraries = [...listed.matchAll(/\/[^\s]+(?= \(0x)/g)].map(([path]) => path);
  const placed = [{ path: process.execPath, to: "usr/bin/node" }, ...libraries.map((path) => ({ path, to: path }))];
  // A symbolic link of this machine would lead nowhere inside the image.
  return Promise.all(placed.map(async ({ path, to }) => ({ from: await realpath(path), to })));
}

/** Changes when any of the files does. */
async function keyOf(files: readonly BaseFile[], mtimeMs: number): Promise<string> {
  const facts = await Promise.all(
    files.map(async ({ from, to }) => {
      const { size, ino, mtimeNs, ctimeNs } = await stat(from, { bigint: true });
      return [from, to, ...[size, ino, mtimeNs, ctimeNs].map(String)];
    }),
  );
  return digestHex(digestOf(JSON.stringify([mtimeMs, facts])));
}

/** Undefined: there is none of these files, or it is not whole any more. */
async function keptLayer(store: ContentStore, directory: string, key: string): Promise<StoredLayer | undefined> {
  const names = await readdir(directory).catch((): string[] => []);
  for (const name of names) {
    const [of, digest, diffId] = name.split(".");
    if (of !== key || digest === undefined || diffId === undefined) continue;
    const path = join(directory, name);
    try {
      const expected = { digest: parseDigest(`sha256:${digest}`), size: (await stat(path)).size };
      await store.ingest(fileBytes(path), expected);
      return {
        descriptor: { mediaType: mediaType.layerTarGzip, ...expected },
        diffId: parseDigest(`sha256:${diffId}`),
      };
    } catch {
      // Another build has replaced it, or the disk has lost some of it: it is made anew.
    }
  }
  return undefined;
}

async function makeLayer(
  files: readonly BaseFile[],
  { store, scratch, mtimeMs }: NodeBaseOptions,
  { directory, key }: { readonly directory: string; readonly key: string },
): Promise<StoredLayer> {
  const root = join(scratch, "node");
  for (const { from, to } of files) {
    const path = join(root, to);
    await mkdir(dirname(path), { recursive: true });
    await copyFile(from, path);
    await chmod(path, 0o755);
  }
  const layer = await packDirectory(store, root, mtimeMs);
  const { descriptor, diffId } = layer;
  const name = `${key}.${digestHex(descriptor.digest)}.${digestHex(diffId)}`;
  // Without it the next build takes as long as this one, and nothing worse.
  await keep(store.path(descriptor.digest), directory, name).catch(() => undefined);
  return layer;
}

/** In the place of those that were kept before. */
async function keep(blob: string, directory: string, name: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const others = (await readdir(directory)).filter((other) => other !== name);
  const draft = join(directory, `draft-${process.pid}`);
  await copyFile(blob, draft);
  await rename(draft, join(directory, name));
  await Promise.all(others.map((other) => rm(join(directory, other), { force: true })));
}
