import type { Command } from "commander";
import type { Context } from "../context.ts";
import type { CommandModule } from "../program.ts";

export const inspectCommand: CommandModule = { register };

interface InspectFlags {
  readonly data?: string;
  readonly output?: string;
}

function register(program: Command, context: Context): void {
  program
    .command("inspect <image>")
    .description("show an image's variants and sizes, and the imports and exports of its component; or of a FILE.wasm")
    .option("--data <dir>", "data directory of the platform on this machine (default: ~/.shallop)")
    .option("-o, --output <format>", "json")
    .addHelpText("after", "\nExample:\n  shallop inspect hello:1.0.0\n  shallop inspect component.wasm")
    .action(async (image: string, flags: InspectFlags) => {
      const { inspectFile, inspectImage } = await import("../platform/inspect.ts");
      await (image.endsWith(".wasm") ? inspectFile(context, image, flags) : inspectImage(context, image, flags));
    });
}
