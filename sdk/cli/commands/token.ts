import type { Command } from "commander";
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
      const { readFile } = await import("node:fs/promises");
      const { join } = await import("node:path");
      const { readKubeconfig } = await import("../../client/index.ts");
      const directory = dataDirectoryOf(context, flags);
      const { credentials } = await readKubeconfig(join(directory, "kubeconfig"));
      const server = new URL(credentials.server);
      if (flags.advertise !== undefined) server.hostname = flags.advertise;
      const token = (await readFile(join(directory, "join-token"), "utf8")).trim();
      context.print(
        `shallop agent --join ${server.origin} --token ${token} --registry-port 0 --data DIRECTORY --name NAME`,
      );
    });
}
