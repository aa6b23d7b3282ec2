import type { Command } from "commander";
import type { Context } from "../context.ts";
import type { PruneFlags, RemoveFlags } from "../images/remove.ts";
import { outputOption } from "../platform/connection-flags.ts";
import { collect } from "../platform/flag-values.ts";
import type { CommandModule } from "../program.ts";

/** `rmi` and `prune`. */
export const removeCommands: CommandModule = { register };

function register(program: Command, context: Context): void {
  program
    .command("rmi <image...>")
    .description("take a name from an image on this machine, and remove it with its last one; not what pods use")
    .option("-f, --force", "also when pods use it, and with all its names when it is given by its digest")
    .option("--data <dir>", "data directory of the platform on this machine (default: ~/.shallop)")
    .option("--kubeconfig <file>", "ask this platform what pods use")
    .addOption(outputOption())
    .addHelpText("after", "\nExample:\n  shallop rmi hello:1.0.0")
    .action(async (images: readonly string[], flags: RemoveFlags) => {
      const { removeByName } = await import("../images/remove.ts");
      await removeByName(context, images, flags);
    });
  program
    .command("prune")
    .description("remove images without a name from this machine, and what killed builds and pulls have left")
    .option("-a, --all", "all images that no pod uses")
    .option("-f, --force", "do not ask")
    .option("--filter <filter>", "until=24h, label=KEY[=VALUE], reference=PATTERN; may be repeated", collect, [])
    .option("--data <dir>", "data directory of the platform on this machine (default: ~/.shallop)")
    .option("--kubeconfig <file>", "ask this platform what pods use")
    .addOption(outputOption())
    .addHelpText("after", "\nExample:\n  shallop prune --all --filter until=168h")
    .action(async (flags: PruneFlags) => {
      const { prune } = await import("../images/remove.ts");
      await prune(context, flags);
    });
}
