import type { Command } from "commander";
import type { Context } from "../context.ts";
import type { GuestFlags } from "../platform/standalone.ts";
import type { CommandModule } from "../program.ts";
import { collect } from "../platform/flag-values.ts";

export const runCommand: CommandModule = { register };

function register(program: Command, context: Context): void {
  program
    .command("run <file> [args...]")
    .description("run a command component, or a module of WASI preview 1, here and without a platform")
    .usage("[options] FILE.wasm [-- ARGS]")
    .option("--dir <host::guest>", "directory that the guest may use, and its name there; may be repeated", collect, [])
    .option("--env <name=value>", "variable of the guest; NAME alone hands on its value; may be repeated", collect, [])
    .option(
      "--allow-host <host:port>",
      "host that the guest may reach, on every port without one; may be repeated",
      collect,
      [],
    )
    .option("--max-memory <bytes>", "of each memory of the guest, such as 64M (default: 4G)")
    .option("--timeout <duration>", "the guest is ended after it, with exit code 124; such as 30s")
    .addHelpText(
      "after",
      `
The exit code is the guest's own: 134 when it traps, 124 when it takes too long.

Example:
  shallop run tool.wasm --dir .::/work --env LANG=C -- --verbose /work/input.txt`,
    )
    .action(async (file: string, args: readonly string[], flags: GuestFlags) => {
      const { guestArguments, runStandalone } = await import("../platform/standalone.ts");
      process.exitCode = await runStandalone(context, ["run", ...guestArguments(context, flags), file, "--", ...args]);
    });
}
