import type { Command } from "commander";
import type { ConnectionFlags, Context } from "../context.ts";
import { outputOption, withNamespace } from "../platform/connection-flags.ts";
import type { CommandModule } from "../program.ts";

export const approveCommand: CommandModule = { register };

function register(program: Command, context: Context): void {
  withNamespace(
    program
      .command("approve <revision>")
      .description(
        "let a revision run that asks for more than the running one, where an image policy wants that approved",
      ),
  )
    .addOption(outputOption())
    .addHelpText("after", "\nExample:\n  shallop approve hello-00002")
    .action(async (revision: string, flags: ConnectionFlags & { readonly output?: string }) => {
      const { approve } = await import("../platform/approve.ts");
      await approve(context, revision, flags);
    });
}
