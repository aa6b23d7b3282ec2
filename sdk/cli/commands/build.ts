import type { Command } from "commander";
import type { Context } from "../context.ts";
import { outputOption } from "../platform/connection-flags.ts";
import type { CommandModule } from "../program.ts";
import type { BuildFlags } from "../platform/build.ts";

export const buildCommand: CommandModule = { register };

function register(program: Command, context: Context): void {
  program
    .command("build [directory]")
    .description("build the image of a project: every variant in its shallop.yaml")
    .option("-t, --tag <ref>", "name of the image (default: NAME:VERSION of the project)")
    .option(
      "--engine <engine>",
      "JavaScript engine of functions: quickjs, starlingmonkey, or auto to build and measure both",
    )
    .option("--push", "push it to its registry too")
    .option("--data <dir>", "data directory of the platform on this machine (default: ~/.shallop)")
    .addOption(outputOption())
    .addHelpText("after", "\nExample:\n  shallop build samples/hono --push")
    .action(async (directory: string | undefined, flags: BuildFlags) => {
      const { build } = await import("../platform/build.ts");
      await build(context, directory ?? ".", flags);
    });
}
