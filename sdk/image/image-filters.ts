import { matchesGlob } from "node:path";
import { parseDurationMs } from "@shallop/sdk/internal";
import { ImageFault } from "./fault.ts";
import { findImage, type ImageHome } from "./find-image.ts";
import { parseImageConfig, parseManifest } from "./manifest.ts";
import { isImageConfigType } from "./media-types.ts";
import type { StoredImage } from "./store-usage.ts";

/** What `--filter` says, as `docker images` and `docker image prune` take it. */
export type ImageFilter = (image: StoredImage) => boolean | Promise<boolean>;

interface Filtering {
  readonly home: ImageHome;
  readonly images: readonly StoredImage[];
  readonly nowMs: number;
}

/** @throws ImageFault FILTER_INVALID naming the filters that there are */
export function parseFilters(texts: readonly string[], filtering: Filtering): readonly ImageFilter[] {
  return texts.map((text) => {
    const equals = text.indexOf("=");
    const [key, value] = equals < 0 ? [text, ""] : [text.slice(0, equals), text.slice(equals + 1)];
    return filterOf(key, value, filtering);
  });
}

export async function matchesAll(image: StoredImage, filters: readonly ImageFilter[]): Promise<boolean> {
  for (const filter of filters) if (!(await filter(image))) return false;
  return true;
}

function filterOf(key: string, value: string, filtering: Filtering): ImageFilter {
  switch (key) {
    case "dangling":
      if (value !== "true" && value !== "false") throw new ImageFault("FILTER_INVALID", "dangling is true or false");
      return ({ tags }) => (tags.length === 0) === (value === "true");
    case "reference":
      return ({ tags }) => tags.some(({ name }) => matchesReference(name, value));
    case "before":
      return ({ writtenMs }) => writtenMs < findImage(filtering.home, filtering.images, value).writtenMs;
    case "since":
      return ({ writtenMs }) => writtenMs > findImage(filtering.home, filtering.images, value).writtenMs;
    case "until": {
      const ageMs = parseDurationMs(value) ?? Number.NaN;
      const untilMs = Number.isNaN(ageMs) ? Date.parse(value) : filtering.nowMs - ageMs;
      if (Number.isNaN(untilMs))
        throw new ImageFault("FILTER_INVALID", `until=${value} is neither a duration (24h) nor a time`);
      return ({ writtenMs }) => writtenMs < untilMs;
    }
    case "label":
      return async (image) => hasLabel(await labelsOf(filtering.home, image), value);
    default: {
      const text = `the filter ${JSON.stringify(key)} is not known; there are dangling, reference, before, since, until and label`;
      throw new ImageFault("FILTER_INVALID", text);
    }
  }
}

/** The patterns of names among some filters: an image with several names is listed by those that match. */
export const referencePatterns = (texts: readonly string[]): readonly string[] =>
  texts.flatMap((text) => (text.startsWith("reference=") ? [text.slice("reference=".length)] : []));

/** `name:tag` without the registry too, and without the tag. */
export function matchesReference(name: string, pattern: string): boolean {
  const short = name.slice(name.indexOf("/") + 1);
  return [name, short, short.replace(/:[^:/]+$/, ""), name.replace(/:[^:/]+$/, "")].some((one) =>
    matchesGlob(one, pattern),
  );
}

function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const equals = wanted.indexOf("=");
  if (equals < 0) return Object.hasOwn(labels, wanted);
  return labels[wanted.slice(0, equals)] === wanted.slice(equals + 1);
}

/** Of a native variant the labels of its config, of any manifest its annotations, which are the same for artifacts. */
async function labelsOf({ store }: ImageHome, image: StoredImage): Promise<Readonly<Record<string, string>>> {
  let labels: Readonly<Record<string, string>> = {};
  for (const digest of image.blobs.keys()) {
    const head = await documentOf(store, digest);
    if (head === undefined) continue;
    labels = { ...labels, ...head.annotations };
    if (head.kind !== "manifest" || !isImageConfigType(head.config.mediaType)) continue;
    if (await store.has(head.config.digest)) {
      labels = { ...labels, ...parseImageConfig(await store.readBytes(head.config)).labels };
    }
  }
  return labels;
}

async function documentOf(store: ImageHome["store"], digest: StoredImage["target"]["digest"]) {
  try {
    return parseManifest(await store.readBytes({ digest }), undefined);
  } catch {
    // A layer or a config.
    return undefined;
  }
}
