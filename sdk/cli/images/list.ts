import {
  matchesAll,
  matchesReference,
  parseFilters,
  referencePatterns,
  type StoredImage,
  storedImages,
} from "../../image/index.ts";
import type { Context } from "../context.ts";
import { age, bytes, table } from "../output/table.ts";
import { openImages } from "../platform/image-store.ts";
import { type VariantSummary, variantsOf } from "../platform/image-variants.ts";

export interface ListFlags {
  readonly data?: string;
  readonly output?: string;
  readonly all?: boolean;
  readonly quiet?: boolean;
  readonly digests?: boolean;
  readonly filter: readonly string[];
}

const shortDigest = (digest: string): string => digest.slice(0, "sha256:".length + 12);

/** The images on this machine; those without a name when all are asked for, or they are filtered for. */
export async function listImages(context: Context, flags: ListFlags): Promise<void> {
  const local = await openImages(context, flags);
  const images = await storedImages(local.store, local.tags);
  const filters = parseFilters(flags.filter, { home: local, images, nowMs: context.clock.wallMs() });
  const asksForDangling = flags.filter.includes("dangling=true");
  const shown: StoredImage[] = [];
  for (const image of images) {
    const isListed = image.tags.length > 0 || flags.all === true || asksForDangling;
    if (isListed && (await matchesAll(image, filters))) shown.push(image);
  }
  if (flags.quiet === true) {
    for (const { target } of shown) context.print(flags.digests === true ? target.digest : shortDigest(target.digest));
    return;
  }
  const rows = await Promise.all(
    shown.map(async (image) => ({ image, variants: await variantsOf(local, image.target).catch(() => []) })),
  );
  const patterns = referencePatterns(flags.filter);
  const named = rows
    .flatMap(({ image, variants }) => namesOf(image).map((row) => ({ image: row, variants })))
    .filter(({ image }) => patterns.every((pattern) => matchesReference(image.name, pattern)))
    .sort((a, b) => (a.image.name < b.image.name ? -1 : 1));
  if (flags.output === "json") return context.print(JSON.stringify(named, null, 2));
  if (named.length === 0) return context.print("no images on this machine; make one with: shallop build DIRECTORY");
  context.print(
    table(
      ["IMAGE", "DIGEST", "VARIANTS", "SIZE", "AGE"],
      named.map(({ image, variants }) => [
        image.name,
        flags.digests === true ? image.target.digest : shortDigest(image.target.digest),
        variants.map(({ platform }) => platform).join(", "),
        bytes(variants.reduce((sum: number, variant: VariantSummary) => sum + variant.sizeBytes, 0)),
        age(image.taggedAt, context.clock.wallMs()),
      ]),
    ),
  );
}

/** One row a name; one for an image that has none. */
function namesOf({ tags, target, writtenMs }: StoredImage) {
  if (tags.length > 0) return tags;
  return [{ name: "<none>", target, taggedAt: new Date(writtenMs).toISOString() }];
}
