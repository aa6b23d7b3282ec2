import type { Command } from "commander";
import { type ConnectionFlags, connect, type Context } from "../context.ts";
import { CliFault } from "../cli-fault.ts";
import { outputOption, withNamespace } from "../platform/connection-flags.ts";
import { wholeNumber } from "../platform/flag-values.ts";
import type { CommandModule } from "../program.ts";

export const traceCommand: CommandModule = { register };

interface TraceFlags extends ConnectionFlags {
  readonly output?: string;
  readonly function?: string;
  readonly limit: string;
}

function register(program: Command, context: Context): void {
  withNamespace(program.command("trace [id]").description("show where a request's time went, by its id or its trace's"))
    .option("-F, --function <name>", "the last requests of a service instead")
    .option("--limit <n>", "of them, at most", "10")
    .addOption(outputOption())
    .action((id: string | undefined, flags: TraceFlags) => trace(context, id, flags));
}

async function trace(context: Context, id: string | undefined, flags: TraceFlags): Promise<void> {
  const { requestTraces, serviceTraces } = await import("../../client/index.ts");
  const { namespaceOf } = await import("../platform/services.ts");
  const { traceLines } = await import("../output/trace-lines.ts");
  if ((id === undefined) === (flags.function === undefined)) {
    throw new CliFault("USAGE", "shallop trace takes the id of a request or of a trace, or --function NAME");
  }
  const client = await connect(context, flags);
  try {
    const traces =
      id !== undefined
        ? await requestTraces(client, id)
        : await serviceTraces(client, namespaceOf(flags), flags.function ?? "", wholeNumber("--limit", flags.limit));
    if (flags.output === "json") return context.print(JSON.stringify(traces, null, 2));
    if (traces.length === 0) {
      const how = "shallop up --gateway trace=1 traces every request, trace=0.01 one in a hundred";
      return context.print(`no request of ${flags.function ?? ""} was traced; ${how}`);
    }
    for (const one of traces) for (const line of traceLines(one, context.style)) context.print(line);
  } finally {
    client.close();
  }
}
