import type { Command } from "commander";
import type { Context } from "../context.ts";
import type { DiskUsageFlags } from "../images/disk-usage.ts";
import { outputOption } from "../platform/connection-flags.ts";
import type { CommandModule } from "../program.ts";

export const systemCommand: CommandModule = { register };

function register(program: Command, context: Context): void {
  program
    .command("system")
    .description("what this machine holds")
    .command("df")
    .description("show what images and caches take, and what of it could go")
    .option("-v, --verbose", "image by image")
    .option("--data <dir>", "data directory of the platform on this machine (default: ~/.shallop)")
    .option("--kubeconfig <file>", "ask this platform what pods use")
    .addOption(outputOption())
    .action(async (flags: DiskUsageFlags) => {
      const { showDiskUsage } = await import("../images/disk-usage.ts");
      await showDiskUsage(context, flags);
    });
}
