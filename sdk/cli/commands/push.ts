import type { Command } from "commander";
import type { Context } from "../context.ts";
import type { CommandModule } from "../program.ts";

export const pushCommand: CommandModule = { register };

function register(program: Command, context: Context): void {
  program
    .command("push <reference>")
    .description("send an image to its registry: the built-in one unless the reference names a host")
    .option("--data <dir>", "data directory of the platform on this machine (default: ~/.shallop)")
    .addHelpText("after", "\nExample:\n  shallop push hello:1.0.0")
    .action((reference: string, flags: { readonly data?: string }) => push(context, reference, flags));
}

async function push(context: Context, text: string, flags: { readonly data?: string }): Promise<void> {
  const { openImages } = await import("../platform/image-store.ts");
  const { localImage } = await import("../platform/local-image.ts");
  const { attachFacts, rememberedFacts } = await import("../images/build-facts.ts");
  const { pushTo } = await import("../platform/push.ts");
  const images = await openImages(context, flags);
  const reference = images.reference(text);
  const { target } = await localImage(images, reference);
  await pushTo(context, images, { reference, target });
  const facts = await rememberedFacts(images, target.digest);
  if (facts !== undefined) await attachFacts(images, { reference, target }, facts);
}
