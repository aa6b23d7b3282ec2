import { createInterface } from "node:readline/promises";
import {
  type Digest,
  ImageFault,
  parseFilters,
  prunableImages,
  pruneImages,
  removeImageByName,
  type StoredImage,
  storedImages,
} from "../../image/index.ts";
import { CliFault } from "../cli-fault.ts";
import type { ConnectionFlags, Context } from "../context.ts";
import { bytes } from "../output/table.ts";
import { openImages } from "../platform/image-store.ts";
import { usedImages } from "./used-images.ts";

export interface RemoveFlags extends ConnectionFlags {
  readonly force?: boolean;
  readonly output?: string;
}

export interface PruneFlags extends RemoveFlags {
  readonly all?: boolean;
  readonly filter: readonly string[];
}

interface Removed {
  readonly untagged: string[];
  readonly deleted: Digest[];
}

/** Takes a name from an image, and removes the image with its last one, as `docker rmi` does. */
export async function removeByName(context: Context, texts: readonly string[], flags: RemoveFlags): Promise<void> {
  const local = await openImages(context, flags);
  const removed: Removed = { untagged: [], deleted: [] };
  for (const text of texts) {
    const { untagged, deleted } = await removeImageByName(local, text, {
      force: flags.force === true,
      refuseUsed: (images, image) => refuseUsed(context, flags, images, image),
    });
    removed.untagged.push(...untagged);
    removed.deleted.push(...deleted);
  }
  if (flags.output === "json") return context.print(JSON.stringify(removed, null, 2));
  for (const name of removed.untagged) context.print(`Untagged: ${name}`);
  for (const digest of removed.deleted) context.print(`Deleted: ${digest}`);
}

async function refuseUsed(
  context: Context,
  flags: ConnectionFlags,
  images: readonly StoredImage[],
  image: StoredImage,
): Promise<void> {
  const users = (await usedImages(context, flags, images)).get(image);
  if (users === undefined) return;
  const name = image.tags[0]?.name ?? image.target.digest;
  throw new ImageFault(
    "DENIED",
    `${name} is used by ${users.slice(0, 5).join(", ")}; delete the service, or use --force`,
  );
}

/** Removes images that have no name, with `--all` those that no pod uses, and what was left half done. */
export async function prune(context: Context, flags: PruneFlags): Promise<void> {
  const local = await openImages(context, flags);
  const images = await storedImages(local.store, local.tags);
  const nowMs = context.clock.wallMs();
  // Which images are offered at all; the other filters choose among them.
  const choosing = flags.filter.filter((text) => !text.startsWith("dangling="));
  const filters = parseFilters(choosing, { home: local, images, nowMs });
  // `dangling=false` is Docker's other way to say --all.
  const isAll = flags.all === true || flags.filter.includes("dangling=false");
  const used = isAll ? await usedImages(context, flags, images) : new Map<StoredImage, readonly string[]>();
  const prunable = await prunableImages(images, { isAll, used, filters });
  if (flags.force !== true) await confirm(context, isAll, prunable.chosen.length, prunable.freedBytes);
  const { untagged, deleted, reclaimedBytes } = await pruneImages(local, prunable, nowMs);
  if (flags.output === "json") return context.print(JSON.stringify({ untagged, deleted, reclaimedBytes }, null, 2));
  for (const name of untagged) context.print(`Untagged: ${name}`);
  for (const digest of deleted) context.print(`Deleted: ${digest}`);
  context.print(`Total reclaimed space: ${bytes(reclaimedBytes)}`);
}

async function confirm(context: Context, isAll: boolean, count: number, freed: number): Promise<void> {
  const what = isAll ? "that no pod uses" : "without a name";
  const question = `${count} image${count === 1 ? "" : "s"} ${what} (${bytes(freed)}) will be removed. Go on? [y/N] `;
  if (!process.stdin.isTTY) throw new CliFault("USAGE", "nobody is there to be asked; say --force");
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await lines.question(question);
  lines.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new CliFault("USAGE", "nothing was removed");
  context.print("");
}
