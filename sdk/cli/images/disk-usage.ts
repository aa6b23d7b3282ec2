import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { freedBy, type StoredImage, storedImages } from "../../image/index.ts";
import type { ConnectionFlags, Context } from "../context.ts";
import { bytes, table } from "../output/table.ts";
import { openImages } from "../platform/image-store.ts";
import { usedImages } from "./used-images.ts";

export interface DiskUsageFlags extends ConnectionFlags {
  readonly output?: string;
  readonly verbose?: boolean;
}

/** What images and caches take on this machine, and what of it could go, as `docker system df` says it. */
export async function showDiskUsage(context: Context, flags: DiskUsageFlags): Promise<void> {
  const { store, tags } = await openImages(context, flags);
  const images = await storedImages(store, tags);
  const used = await usedImages(context, flags, images);
  const blobs = new Map(images.flatMap((image) => [...image.blobs]));
  const sizeBytes = [...blobs.values()].reduce((sum, size) => sum + size, 0);
  const unused = new Set(images.filter((image) => !used.has(image)).map(({ target }) => target.digest));
  const cache = await directorySize(context.cacheDirectory, "images");
  const usage = [
    { type: "Images", total: images.length, active: used.size, sizeBytes, reclaimableBytes: freedBy(images, unused) },
    { type: "Build cache", total: cache.files, active: 0, sizeBytes: cache.bytes, reclaimableBytes: cache.bytes },
  ];
  const details = images.map((image) => detailOf(images, image, used));
  if (flags.output === "json") return context.print(JSON.stringify({ usage, images: details }, null, 2));
  context.print(
    table(
      ["TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"],
      usage.map((row) => [
        row.type,
        String(row.total),
        String(row.active),
        bytes(row.sizeBytes),
        `${bytes(row.reclaimableBytes)}${row.sizeBytes === 0 ? "" : ` (${Math.round((100 * row.reclaimableBytes) / row.sizeBytes)}%)`}`,
      ]),
    ),
  );
  if (flags.verbose !== true || details.length === 0) return;
  context.print("");
  context.print(
    table(
      ["IMAGE", "DIGEST", "SIZE", "SHARED", "UNIQUE", "PODS"],
      details.map((row) => [
        row.names[0] ?? "<none>",
        row.digest.slice(0, "sha256:".length + 12),
        bytes(row.sizeBytes),
        bytes(row.sizeBytes - row.uniqueBytes),
        bytes(row.uniqueBytes),
        String(row.pods.length),
      ]),
    ),
  );
}

const detailOf = (
  images: readonly StoredImage[],
  image: StoredImage,
  used: ReadonlyMap<StoredImage, readonly string[]>,
) => ({
  names: image.tags.map(({ name }) => name),
  digest: image.target.digest,
  sizeBytes: [...image.blobs.values()].reduce((sum, size) => sum + size, 0),
  uniqueBytes: freedBy(images, new Set([image.target.digest])),
  pods: used.get(image) ?? [],
});

/** Files below a directory, without the folder `except` in it; what is not there is nothing. */
async function directorySize(
  directory: string,
  except?: string,
): Promise<{ readonly files: number; readonly bytes: number }> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  let [files, size] = [0, 0];
  for (const entry of entries) {
    if (entry.name === except) continue;
    const path = join(directory, entry.name);
    if (entry.isDirectory()) {
      const below = await directorySize(path);
      files += below.files;
      size += below.bytes;
    } else if (entry.isFile()) {
      files++;
      size += (await stat(path).catch(() => undefined))?.size ?? 0;
    }
  }
  return { files, bytes: size };
}
