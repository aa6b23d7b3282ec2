import type { Command } from "commander";
import { type ConnectionFlags, type Context, credentialsOf } from "../context.ts";
import { withNamespace } from "../platform/connection-flags.ts";
import type { CommandModule } from "../program.ts";

export const execCommand: CommandModule = { register };

interface ExecFlags extends ConnectionFlags {
  readonly container?: string;
  readonly stdin?: boolean;
  readonly tty?: boolean;
}

function register(program: Command, context: Context): void {
  withNamespace(
    program.command("exec <pod> <command...>").description("run a command in a native pod: exec POD -- COMMAND …"),
  )
    .option("-c, --container <name>", "which of its containers")
    .option("-i, --stdin", "let it read what is typed or piped")
    .option("-t, --tty", "give it a terminal")
    .action((pod: string, command: string[], flags: ExecFlags) => run(context, { pod, command }, flags));
  withNamespace(
    program.command("attach <pod>").description("join the program of a native pod: what it says from now on"),
  )
    .option("-c, --container <name>", "which of its containers")
    .option("-i, --stdin", "let it read what is typed or piped, if it has a standard input")
    .option("-t, --tty", "its output is a terminal's")
    .action((pod: string, flags: ExecFlags) => run(context, { pod }, flags));
}

async function run(
  context: Context,
  what: { readonly pod: string; readonly command?: readonly string[] },
  flags: ExecFlags,
): Promise<void> {
  const { runPodCommand } = await import("../../client/pod-command.ts");
  const { namespaceOf } = await import("../platform/services.ts");
  const { stdin, stdout, stderr } = process;
  const terminal = flags.tty === true && stdin.isTTY && stdout.isTTY;
  // Each key goes to the program as it is; what it means is for the terminal over there.
  if (terminal) stdin.setRawMode(true);
  try {
    process.exitCode = await runPodCommand(
      await credentialsOf(context, flags),
      {
        ...what,
        namespace: namespaceOf(flags),
        terminal: flags.tty === true,
        ...(flags.container === undefined ? {} : { container: flags.container }),
      },
      {
        stdout,
        stderr,
        ...(flags.stdin === true ? { stdin } : {}),
        ...(terminal
          ? {
              onSize: (resized) => {
                const tell = (): void => resized(stdout.columns, stdout.rows);
                tell();
                stdout.on("resize", tell);
              },
            }
          : {}),
      },
    );
  } finally {
    if (terminal) stdin.setRawMode(false);
    // A terminal would keep the process waiting for keys.
    stdin.destroy();
  }
}
