import type { Command } from "commander";
import type { Context } from "../context.ts";
import type { GuestFlags } from "../platform/standalone.ts";
import type { CommandModule } from "../program.ts";
import { collect } from "../platform/flag-values.ts";

export const serveCommand: CommandModule = { register };

interface ServeFlags extends GuestFlags {
  readonly addr: string;
  readonly reuse?: string;
  readonly reuseAtOnce?: string;
  readonly reuseIdle?: string;
}

function register(program: Command, context: Context): void {
  program
    .command("serve <file>")
    .description("serve an HTTP component here and without a platform")
    .usage("[options] FILE.wasm")
    .option("--addr <host:port>", "address to listen on", "127.0.0.1:8080")
    .option("--dir <host::guest>", "directory that the guest may use, and its name there; may be repeated", collect, [])
    .option("--env <name=value>", "variable of the guest; NAME alone hands on its value; may be repeated", collect, [])
    .option(
      "--allow-host <host:port>",
      "host that the guest may reach, on every port without one; may be repeated",
      collect,
      [],
    )
    .option("--max-memory <bytes>", "of each memory of an instance, such as 64M (default: 4G)")
    .option("--timeout <duration>", "of a request (default: 5m)")
    .option("--reuse <requests>", "how many requests an instance serves (default: 1 of WASI 0.2, 128 of 0.3)")
    .option("--reuse-at-once <requests>", "how many of them at once; those of WASI 0.2 have one (default: 16)")
    .option("--reuse-idle <duration>", "how long an instance that serves nothing is kept (default: 1s)")
    .addHelpText(
      "after",
      "\nExample:\n  shallop serve hello.wasm --addr 127.0.0.1:3000 --allow-host api.example.org:443",
    )
    .action(async (file: string, flags: ServeFlags) => {
      const { guestArguments, runStandalone } = await import("../platform/standalone.ts");
      const own = [
        `--addr=${flags.addr}`,
        ...(flags.reuse === undefined ? [] : [`--reuse=${flags.reuse}`]),
        ...(flags.reuseAtOnce === undefined ? [] : [`--reuse-at-once=${flags.reuseAtOnce}`]),
        ...(flags.reuseIdle === undefined ? [] : [`--reuse-idle=${flags.reuseIdle}`]),
      ];
      process.exitCode = await runStandalone(context, ["serve", ...own, ...guestArguments(context, flags), file]);
    });
}
