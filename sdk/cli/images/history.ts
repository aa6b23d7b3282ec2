import {
  type Digest,
  findImage,
  type HistoryStep,
  isImageConfigType,
  parseHistory,
  parseManifest,
  storedImages,
} from "../../image/index.ts";
import type { Context } from "../context.ts";
import { age, bytes, orDash, table } from "../output/table.ts";
import { type LocalImages, openImages } from "../platform/image-store.ts";
import { variantsOf } from "../platform/image-variants.ts";

export interface HistoryFlags {
  readonly data?: string;
  readonly output?: string;
  readonly trunc?: boolean;
}

/** What fits beside the other columns on a terminal of 120. */
const createdByMax = 60;

/** How each variant of an image was made, the last step first, as `docker history` has it. */
export async function showHistory(context: Context, text: string, flags: HistoryFlags): Promise<void> {
  const local = await openImages(context, flags);
  const image = findImage(local, await storedImages(local.store, local.tags), text);
  const variants = await variantsOf(local, image.target);
  const histories = await Promise.all(
    variants.map(async ({ platform, digest }) => ({ platform, digest, steps: await stepsOf(local, digest) })),
  );
  if (flags.output === "json") return context.print(JSON.stringify(histories, null, 2));
  for (const [index, { platform, steps }] of histories.entries()) {
    if (index > 0) context.print("");
    if (histories.length > 1) context.print(context.style.bold(platform));
    context.print(
      table(
        ["LAYER", "CREATED", "CREATED BY", "SIZE", "COMMENT"],
        steps.map((step) => rowOf(context, step, flags.trunc !== false)),
      ),
    );
  }
}

function rowOf(context: Context, step: HistoryStep, isShort: boolean): readonly string[] {
  const by = step.createdBy.replace(/\s+/g, " ");
  return [
    step.layer === undefined
      ? "-"
      : isShort
        ? step.layer.digest.slice("sha256:".length).slice(0, 12)
        : step.layer.digest,
    // Builds that are the same each time say 1970.
    Date.parse(step.created) > 0 ? age(step.created, context.clock.wallMs()) : "-",
    orDash(isShort && by.length > createdByMax ? `${by.slice(0, createdByMax - 1)}…` : by),
    bytes(step.layer?.size ?? 0),
    step.comment,
  ];
}

async function stepsOf({ store }: LocalImages, digest: Digest): Promise<readonly HistoryStep[]> {
  const document = parseManifest(await store.readBytes({ digest }), undefined, `the manifest ${digest}`);
  if (document.kind === "index") return [];
  const { config, layers } = document;
  // Wasm artifacts have no history; what they have is their layers.
  const bytes = isImageConfigType(config.mediaType) ? await store.readBytes(config) : new TextEncoder().encode("{}");
  return parseHistory(bytes, layers).toReversed();
}
