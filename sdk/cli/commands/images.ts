import type { Command } from "commander";
import type { Context } from "../context.ts";
import type { ListFlags } from "../images/list.ts";
import { outputOption } from "../platform/connection-flags.ts";
import { collect } from "../platform/flag-values.ts";
import type { CommandModule } from "../program.ts";

export const imagesCommand: CommandModule = { register };

function register(program: Command, context: Context): void {
  program
    .command("images")
    .description("list the images on this machine")
    .option("-a, --all", "those without a name, too")
    .option("-q, --quiet", "digests only")
    .option("--digests", "digests in full")
    .option(
      "-f, --filter <filter>",
      "dangling=true, reference=PATTERN, before=IMAGE, since=IMAGE, label=KEY[=VALUE]; may be repeated",
      collect,
      [],
    )
    .option("--data <dir>", "data directory of the platform on this machine (default: ~/.shallop)")
    .addOption(outputOption())
    .addHelpText("after", "\nExample:\n  shallop images --filter 'reference=hello*'")
    .action(async (flags: ListFlags) => {
      const { listImages } = await import("../images/list.ts");
      await listImages(context, flags);
    });
}
