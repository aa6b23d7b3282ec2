import type { Command } from "commander";
import type { Context } from "../context.ts";
import type { LoadFlags, SaveFlags } from "../images/archive.ts";
import { outputOption } from "../platform/connection-flags.ts";
import type { CommandModule } from "../program.ts";

/** `save` and `load`. */
export const saveCommands: CommandModule = { register };

function register(program: Command, context: Context): void {
  program
    .command("save <image...>")
    .description("write images with all their variants as one archive, which docker, podman and skopeo read too")
    .option("-o, --output <file>", "where to; standard output unless given")
    .option("--data <dir>", "data directory of the platform on this machine (default: ~/.shallop)")
    .addHelpText("after", "\nExample:\n  shallop save -o hello.tar hello:1.0.0")
    .action(async (images: readonly string[], flags: SaveFlags) => {
      const { saveImages } = await import("../images/archive.ts");
      await saveImages(context, images, flags);
    });
  program
    .command("load")
    .description("read images from an archive of shallop, docker, podman or skopeo, compressed or not")
    .option("-i, --input <file>", "where from; standard input unless given")
    .option("-q, --quiet", "names only")
    .option("--data <dir>", "data directory of the platform on this machine (default: ~/.shallop)")
    .addOption(outputOption())
    .addHelpText("after", "\nExample:\n  docker save hello:1 | shallop load")
    .action(async (flags: LoadFlags) => {
      const { loadImages } = await import("../images/archive.ts");
      await loadImages(context, flags);
    });
}
