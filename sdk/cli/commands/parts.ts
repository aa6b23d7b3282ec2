import type { Command } from "commander";
import type { Context } from "../context.ts";
import type { CommandModule } from "../program.ts";

export const partCommands: CommandModule = { register };

const parts = [
  ["server", "run a control plane by itself", "schedulerMain"],
  ["agent", "run a node by itself: shallop agent --join URL --token T --data DIR", "agentMain"],
  ["gateway", "run a gateway by itself", "gatewayMain"],
] as const;

/** The three programs one by one, for several machines. Their flags are their own. */
function register(program: Command, context: Context): void {
  for (const [name, description, main] of parts) {
    program
      .command(name)
      .description(description)
      .allowUnknownOption()
      .allowExcessArguments()
      .helpOption(false)
      .action(async (_flags: unknown, command: Command) => {
        const { checkPartFlags, partHelp } = await import("../platform/part-flags.ts");
        if (command.args.some((argument) => argument === "--help" || argument === "-h")) {
          return context.print(partHelp(name, description));
        }
        checkPartFlags(name, command.args);
        const programs = await import("../platform/programs.ts");
        const { runProgram } = await import("../platform/run-program.ts");
        process.exitCode = await runProgram(programs[main], command.args);
      });
  }
}
