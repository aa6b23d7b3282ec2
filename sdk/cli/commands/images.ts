import type { Command } from "commander";
import type { Context } from "../context.ts";
import { outputOption } from "../platform/connection-flags.ts";
import type { CommandModule } from "../program.ts";

export const imagesCommand: CommandModule = { register };

interface ImagesFlags {
  readonly data?: string;
  readonly output?: string;
}

function register(program: Command, context: Context): void {
  program
    .command("images")
    .description("list the images on this machine")
    .option("--data <dir>", "data directory of the platform on this machine (default: ~/.shallop)")
    .addOption(outputOption())
    .action((flags: ImagesFlags) => images(context, flags));
}

async function images(context: Context, flags: ImagesFlags): Promise<void> {
  const { openImages } = await import("../platform/image-store.ts");
  const { age, bytes, table } = await import("../output/table.ts");
  const { variantsOf } = await import("../platform/image-variants.ts");
  const local = await openImages(context, flags);
  const tagged = await local.tags.list();
  const rows = await Promise.all(
    tagged.map(async (image) => ({ image, variants: await variantsOf(local, image.target) })),
  );
  if (flags.output === "json") return context.print(JSON.stringify(rows, null, 2));
  if (rows.length === 0) return context.print("no images on this machine; make one with: shallop build DIRECTORY");
  context.print(
    table(
      ["IMAGE", "DIGEST", "VARIANTS", "SIZE", "AGE"],
      rows.map(({ image, variants }) => [
        image.name,
        image.target.digest.slice(0, "sha256:".length + 12),
        variants.map(({ platform }) => platform).join(", "),
        bytes(variants.reduce((sum, variant) => sum + variant.sizeBytes, 0)),
        age(image.taggedAt, context.clock.wallMs()),
      ]),
    ),
  );
}
