import type { Command } from "commander";
import type { Context } from "../context.ts";
import type { HistoryFlags } from "../images/history.ts";
import { outputOption } from "../platform/connection-flags.ts";
import type { CommandModule } from "../program.ts";

export const historyCommand: CommandModule = { register };

function register(program: Command, context: Context): void {
  program
    .command("history <image>")
    .description("show how an image on this machine was made, step by step")
    .option("--no-trunc", "digests and commands in full")
    .option("--data <dir>", "data directory of the platform on this machine (default: ~/.shallop)")
    .addOption(outputOption())
    .addHelpText("after", "\nExample:\n  shallop history hello:1.0.0")
    .action(async (image: string, flags: HistoryFlags) => {
      const { showHistory } = await import("../images/history.ts");
      await showHistory(context, image, flags);
    });
}
