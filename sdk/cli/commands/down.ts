import type { Command } from "commander";
import { type Context, dataDirectoryOf } from "../context.ts";
import type { CommandModule } from "../program.ts";

export const downCommand: CommandModule = { register };

function register(program: Command, context: Context): void {
  program
    .command("down")
    .description("stop the platform of this machine, and all that runs on it")
    .option("--data <dir>", "the data directory it was started with (default: ~/.shallop)")
    .action(async (flags: { readonly data?: string }) => {
      const { down } = await import("../platform/down.ts");
      await down(context, dataDirectoryOf(context, flags));
    });
}
