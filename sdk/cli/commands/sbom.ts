import { type Command, Option } from "commander";
import type { Context } from "../context.ts";
import type { SbomFlags } from "../images/sbom.ts";
import { outputOption } from "../platform/connection-flags.ts";
import type { CommandModule } from "../program.ts";

export const sbomCommand: CommandModule = { register };

function register(program: Command, context: Context): void {
  program
    .command("sbom <reference>")
    .description("show the packages in an image, by the bills of materials beside it in its registry")
    .option("--attach <directory>", "make one, and a statement of provenance (SLSA), from this directory's lock files")
    .addOption(new Option("--format <format>", "of the bill (default: spdx)").choices(["spdx", "cyclonedx"]))
    .option("--provenance", "show how the image was made instead")
    .option("--data <dir>", "data directory of the platform on this machine (default: ~/.shallop)")
    .addOption(outputOption())
    .addHelpText(
      "after",
      "\nshallop build notes both, and whatever pushes the image then attaches them; the bill is SPDX unless build --sbom says otherwise.\n\nExample:\n  shallop sbom hello:1.0.0",
    )
    .action(async (reference: string, flags: SbomFlags) => {
      const { sbom } = await import("../images/sbom.ts");
      await sbom(context, reference, flags);
    });
}
