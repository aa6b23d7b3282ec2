import type { Command } from "commander";
import { CliFault } from "../cli-fault.ts";
import { type Context, dataDirectoryOf } from "../context.ts";
import type { CommandModule } from "../program.ts";

export const tokenCommand: CommandModule = { register };

function register(program: Command, context: Context): void {
  program
    .command("token")
    .description("print the command that joins another node to this platform")
    .option("--data <dir>", "the data directory it was started with (default: ~/.shallop)")
    .option(
      "--advertise <host>",
      "how other machines reach this one, as given to shallop up (default: this machine itself)",
    )
    .action(async (flags: { readonly data?: string; readonly advertise?: string }) => {
      const { existsSync } = await import("node:fs");
      const { readFile } = await import("node:fs/promises");
      const { join } = await import("node:path");
      const { readKubeconfig } = await import("../../client/index.ts");
      const directory = dataDirectoryOf(context, flags);
      const path = join(directory, "kubeconfig");
      if (!existsSync(path)) {
        throw new CliFault(
          "NO_PLATFORM",
          `no platform has been started in ${directory}; start one with shallop up, or name its directory with --data DIR`,
        );
      }
      const { credentials } = await readKubeconfig(path);
      const server = new URL(credentials.server);
      if (flags.advertise !== undefined) server.hostname = flags.advertise;
      const token = (await readFile(join(directory, "join-token"), "utf8")).trim();
      // On this machine the usual port is taken; another one has to be reached under an address of its own.
      const place = isLoopback(server.hostname) ? "--port 0" : "--host ADDRESS";
      context.print(
        `shallop agent --join ${server.origin} --token ${token} ${place} --registry-port 0 --data DIRECTORY --name NAME`,
      );
    });
}

const isLoopback = (host: string): boolean => host === "localhost" || host === "[::1]" || host.startsWith("127.");
