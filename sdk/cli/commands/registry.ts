import type { Command } from "commander";
import type { Context } from "../context.ts";
import { outputOption } from "../platform/connection-flags.ts";
import { collect } from "../platform/flag-values.ts";
import type { GrantFlags } from "../platform/registry-users.ts";
import type { CommandModule } from "../program.ts";

export const registryCommand: CommandModule = { register };

interface DataFlags {
  readonly data?: string;
}

function register(program: Command, context: Context): void {
  const registry = program.command("registry").description("who may use the built-in registry");
  const users = registry.command("user").description("users of the built-in registry");
  withData(users.command("add <name>"))
    .description("let somebody read or write repositories; anonymous is who gives no login")
    .option("--read <repositories>", "that may be pulled: team/app, team/* or *; may be repeated", collect, [])
    .option("--write <repositories>", "that may be pulled, pushed and deleted; may be repeated", collect, [])
    .option("--password-stdin", "read the password from standard input; otherwise one is drawn and printed once")
    .option("--keep-password", "change what an existing user may do, and nothing else")
    .addHelpText("after", "\nExample:\n  shallop registry user add ci --write 'team/*' --read base/debian")
    .action(async (name: string, flags: GrantFlags) => {
      const { addUser } = await import("../platform/registry-users.ts");
      await addUser(context, name, flags);
    });
  withData(users.command("list"))
    .description("list them, with what each may do")
    .addOption(outputOption())
    .action(async (flags: DataFlags & { readonly output?: string }) => {
      const { listUsers } = await import("../platform/registry-users.ts");
      await listUsers(context, flags);
    });
  withData(users.command("remove <name>"))
    .description("let somebody in no longer")
    .action(async (name: string, flags: DataFlags) => {
      const { removeUser } = await import("../platform/registry-users.ts");
      await removeUser(context, name, flags);
    });
}

const withData = (command: Command): Command =>
  command.option("--data <dir>", "data directory of the platform on this machine (default: ~/.shallop)");
