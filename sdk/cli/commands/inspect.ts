import type { Command } from "commander";
import type { Context } from "../context.ts";
import { outputOption } from "../platform/connection-flags.ts";
import type { CommandModule } from "../program.ts";

export const inspectCommand: CommandModule = { register };

interface InspectFlags {
  readonly data?: string;
  readonly output?: string;
}

function register(program: Command, context: Context): void {
  program
    .command("inspect <image>")
    .description(
      "show an image's variants and sizes, and its component's imports and exports; or of a FILE.wasm, and whether it runs here",
    )
    .option("--data <dir>", "data directory of the platform on this machine (default: ~/.shallop)")
    .addOption(outputOption())
    .addHelpText("after", "\nExample:\n  shallop inspect hello:1.0.0\n  shallop inspect component.wasm")
    .action(async (image: string, flags: InspectFlags) => {
      if (image.endsWith(".wasm")) {
        const { inspectFile } = await import("../platform/inspect-file.ts");
        return inspectFile(context, image, flags);
      }
      const { inspectImage } = await import("../platform/inspect.ts");
      await inspectImage(context, image, flags);
    });
}
