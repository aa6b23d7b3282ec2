import type { Command } from "commander";
import type { Context } from "../context.ts";
import type { CommandModule } from "../program.ts";

export const pullCommand: CommandModule = { register };

function register(program: Command, context: Context): void {
  program
    .command("pull <reference>")
    .description("fetch an image with all its variants to this machine")
    .option("--data <dir>", "data directory of the platform on this machine (default: ~/.shallop)")
    .action((reference: string, flags: { readonly data?: string }) => pull(context, reference, flags));
}

async function pull(context: Context, text: string, flags: { readonly data?: string }): Promise<void> {
  const { formatReference, pullImage } = await import("../../image/index.ts");
  const { openImages } = await import("../platform/image-store.ts");
  const { transferProgress } = await import("../platform/transfer-progress.ts");
  const images = await openImages(context, flags);
  const reference = images.reference(text);
  const name = formatReference(reference);
  const transfer = transferProgress(context, `pulling ${name}`);
  try {
    const target = await pullImage(images.registry, images.store, reference, { onProgress: transfer.onProgress });
    await images.tags.set(reference, target, context.clock.wallMs());
    transfer.done();
    context.print(`${context.style.green(name)} pulled\n  ${target.digest}`);
  } finally {
    transfer.done();
  }
}
