import type { Command } from "commander";
import type { Context } from "../context.ts";
import type { CommandModule } from "../program.ts";

export const tagCommand: CommandModule = { register };

interface TagFlags {
  readonly data?: string;
}

function register(program: Command, context: Context): void {
  program
    .command("tag <image> <name>")
    .description("give an image on this machine another name")
    .option("--data <dir>", "data directory of the platform on this machine (default: ~/.shallop)")
    .addHelpText("after", "\nExample:\n  shallop tag hello:1.0.0 registry.example/team/hello:1.0.0")
    .action((image: string, name: string, flags: TagFlags) => tag(context, { image, name }, flags));
}

async function tag(
  context: Context,
  what: { readonly image: string; readonly name: string },
  flags: TagFlags,
): Promise<void> {
  const { findImage, storedImages } = await import("../../image/index.ts");
  const { openImages } = await import("../platform/image-store.ts");
  const { CliFault } = await import("../cli-fault.ts");
  const local = await openImages(context, flags);
  const { target } = findImage(local, await storedImages(local.store, local.tags), what.image);
  const reference = local.reference(what.name);
  if (reference.digest !== undefined) throw new CliFault("USAGE", `${what.name} has a digest; a name is wanted`);
  await local.tags.set(reference, target, context.clock.wallMs());
}
