import type { Command } from "commander";
import { CliFault } from "../cli-fault.ts";
import { type ConnectionFlags, connect, type Context } from "../context.ts";
import { outputOption, withNamespace } from "../platform/connection-flags.ts";
import { wholeNumber } from "../platform/flag-values.ts";
import type { CommandModule } from "../program.ts";

export const logsCommand: CommandModule = { register };

interface LogsFlags extends ConnectionFlags {
  readonly follow?: boolean;
  readonly tail?: string;
  readonly function?: string;
  readonly output?: "json";
}

function register(program: Command, context: Context): void {
  withNamespace(
    program.command("logs [name]").description("show what a service's pods have written, those that are gone too"),
  )
    .option("-F, --function <name>", "the same as the name")
    .option("-f, --follow", "go on with what they write from now on")
    .option("--tail <lines>", "begin with the last so many lines")
    .addOption(outputOption())
    .action((name: string | undefined, flags: LogsFlags) => {
      const service = name ?? flags.function;
      if (service === undefined || (name !== undefined && flags.function !== undefined)) {
        throw new CliFault("USAGE", "shallop logs takes the name of a service, or --function NAME");
      }
      return logs(context, service, flags);
    });
}

async function logs(context: Context, name: string, flags: LogsFlags): Promise<void> {
  const { serviceLogs } = await import("../../client/index.ts");
  const { stopSignal } = await import("../../internal/child.ts");
  const { printable } = await import("../output/printable.ts");
  const { namespaceOf } = await import("../platform/services.ts");
  const selection = {
    ...(flags.output === undefined ? {} : { format: flags.output }),
    ...(flags.follow === true ? { follow: true } : {}),
    ...(flags.tail === undefined ? {} : { tailLines: wholeNumber("--tail", flags.tail) }),
  };
  const client = await connect(context, flags);
  try {
    const target = { namespace: namespaceOf(flags), name };
    for await (const text of serviceLogs(client, target, selection, stopSignal())) {
      process.stdout.write(process.stdout.isTTY ? printable(text) : text);
    }
  } finally {
    client.close();
  }
}
