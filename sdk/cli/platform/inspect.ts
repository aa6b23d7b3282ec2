import { type Descriptor, formatReference, pullImage } from "../../image/index.ts";
import type { Context } from "../context.ts";
import { bytes, table } from "../output/table.ts";
import { type LocalImages, openImages } from "./image-store.ts";
import { variantsOf } from "./image-variants.ts";

interface InspectFlags {
  readonly data?: string;
  readonly output?: string;
}

/** What is in an image; one that is not here is fetched first. @throws ImageFault */
export async function inspectImage(context: Context, text: string, flags: InspectFlags): Promise<void> {
  const images = await openImages(context, flags);
  const reference = images.reference(text);
  const target = (await images.tags.get(reference))?.target ?? (await fetch(context, images, text));
  const variants = await variantsOf(images, target);
  const name = formatReference(reference);
  if (flags.output === "json")
    return context.print(
      JSON.stringify({ name, digest: target.digest, mediaType: target.mediaType, variants }, null, 2),
    );
  context.print(`${context.style.bold(name)}\n  ${target.digest}\n  ${target.mediaType}\n`);
  context.print(
    table(
      ["VARIANT", "PLATFORM", "SIZE", "DIGEST"],
      variants.map((variant) => [variant.kind, variant.platform, bytes(variant.sizeBytes), variant.digest]),
    ),
  );
  for (const { imports, exports } of variants) if (imports !== undefined) printNames(context, imports, exports ?? []);
}

async function fetch(context: Context, images: LocalImages, text: string): Promise<Descriptor> {
  const progress = context.progress();
  progress.step(`fetching ${text}`);
  try {
    return await pullImage(images.registry, images.store, images.reference(text));
  } finally {
    progress.done();
  }
}

function printNames({ print, style }: Context, imports: readonly string[], exports: readonly string[]): void {
  print(`\n${style.bold("imports")}\n${imports.map((name) => `  ${name}`).join("\n")}`);
  print(`${style.bold("exports")}\n${exports.map((name) => `  ${name}`).join("\n")}`);
}
