import type { Command } from "commander";
import { type ConnectionFlags, connect, type Context } from "../context.ts";
import { outputOption, withNamespace } from "../platform/connection-flags.ts";
import type { CommandModule } from "../program.ts";

export const describeCommand: CommandModule = { register };

interface DescribeFlags extends ConnectionFlags {
  readonly output?: string;
}

function register(program: Command, context: Context): void {
  withNamespace(
    program
      .command("describe <name>")
      .description("show a service: its revisions and variants, pods, traffic and events"),
  )
    .addOption(outputOption())
    .action(async (name: string, flags: DescribeFlags) => {
      const { describe } = await import("../platform/describe.ts");
      const client = await connect(context, flags);
      try {
        await describe(context, client, name, flags);
      } finally {
        client.close();
      }
    });
}
