import { createReadStream, createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import {
  type ArchivedImage,
  findImage,
  formatReference,
  ImageFault,
  imageNamed,
  type ImageReference,
  readArchive,
  storedImages,
  writeArchive,
} from "../../image/index.ts";
import { CliFault } from "../cli-fault.ts";
import type { Context } from "../context.ts";
import { type LocalImages, openImages } from "../platform/image-store.ts";

export interface SaveFlags {
  readonly data?: string;
  /** A file; standard output unless given. */
  readonly output?: string;
}

export interface LoadFlags {
  readonly data?: string;
  readonly input?: string;
  readonly quiet?: boolean;
  readonly output?: string;
}

/** Node's names of architectures, as images write them. */
const architecture = ({ x64: "amd64", ia32: "386" } as Readonly<Record<string, string>>)[process.arch] ?? process.arch;

/** Images of this machine as one archive. @throws CliFault USAGE; ImageFault MANIFEST_UNKNOWN */
export async function saveImages(context: Context, texts: readonly string[], flags: SaveFlags): Promise<void> {
  const local = await openImages(context, flags);
  const images = await storedImages(local.store, local.tags);
  const wanted = texts.map((text): ArchivedImage => {
    const { target } = findImage(local, images, text);
    return { target, names: imageNamed(local, images, text) === undefined ? [] : [local.reference(text)] };
  });
  const byDigest = Map.groupBy(wanted, ({ target }) => target.digest);
  const merged = [...byDigest.values()].flatMap(([first, ...rest]) =>
    first === undefined ? [] : [{ target: first.target, names: [first, ...rest].flatMap(({ names }) => names) }],
  );
  const archive = writeArchive(local.store, merged, architecture);
  if (flags.output === undefined) {
    if (process.stdout.isTTY)
      throw new CliFault("USAGE", "an archive is not for a terminal; give --output FILE, or a pipe");
    return pipeline(archive, process.stdout);
  }
  try {
    await pipeline(archive, createWriteStream(flags.output));
  } catch (error) {
    // Half an archive is worse than none.
    await rm(flags.output, { force: true });
    throw error;
  }
}

/** Images from an archive that Shallop, Docker, podman or skopeo has written. @throws ImageFault */
export async function loadImages(context: Context, flags: LoadFlags): Promise<void> {
  if (flags.input === undefined && process.stdin.isTTY) {
    throw new CliFault("USAGE", "an archive is wanted: give --input FILE, or a pipe");
  }
  const local = await openImages(context, flags);
  const source = flags.input === undefined ? process.stdin : createReadStream(flags.input);
  const images = await readArchive(local.store, source as AsyncIterable<Uint8Array>);
  const loaded = [];
  for (const { target, names } of images) {
    const references = names.map((name) => referenceIn(local, name)).filter((one) => one !== undefined);
    for (const reference of references) await local.tags.set(reference, target, context.clock.wallMs());
    loaded.push({ digest: target.digest, names: references.map(formatReference) });
  }
  if (flags.output === "json") return context.print(JSON.stringify(loaded, null, 2));
  for (const { digest, names } of loaded) {
    if (flags.quiet === true) context.print(names[0] ?? digest);
    else if (names.length === 0) context.print(`Loaded image: ${digest}`);
    else for (const name of names) context.print(`Loaded image: ${name}`);
  }
}

/** A name in an archive is somebody's word: what is no reference is none. */
function referenceIn(local: LocalImages, name: string): ImageReference | undefined {
  try {
    return local.reference(name);
  } catch (error) {
    if (error instanceof ImageFault) return undefined;
    throw error;
  }
}
