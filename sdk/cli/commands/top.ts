import { Argument, type Command } from "commander";
import type { HttpsClient } from "../../client/index.ts";
import { type ConnectionFlags, connect, type Context } from "../context.ts";
import { outputOption, withNamespace } from "../platform/connection-flags.ts";
import type { CommandModule } from "../program.ts";

export const topCommand: CommandModule = { register };

interface TopFlags extends ConnectionFlags {
  readonly allNamespaces?: boolean;
  readonly output?: string;
  readonly once?: boolean;
}

type Subject = "functions" | "pods" | "nodes";

/** A person's eye; and nodes measure over a second. */
const refreshMs = 2_000;

function register(program: Command, context: Context): void {
  const what = new Argument("[what]", "what to show").choices(["functions", "pods", "nodes"]).default("functions");
  withNamespace(program.command("top").description("show who is busy: requests, latencies, processors and memory"))
    .addArgument(what)
    .option("-A, --all-namespaces", "of every namespace")
    .option("--once", "one table, on a terminal too")
    .addOption(outputOption())
    .action((subject: Subject, flags: TopFlags) => top(context, subject, flags));
}

async function top(context: Context, subject: Subject, flags: TopFlags): Promise<void> {
  const { topTable, topRows } = await import("../platform/top.ts");
  const { namespaceOf } = await import("../platform/services.ts");
  const { stopSignal } = await import("../../internal/child.ts");
  const namespace = flags.allNamespaces === true ? undefined : namespaceOf(flags);
  const client = await connect(context, flags);
  const look = (of: HttpsClient) => topRows(of, subject, namespace);
  try {
    if (flags.output === "json") return context.print(JSON.stringify(await look(client), null, 2));
    if (!process.stdout.isTTY || flags.once === true) return context.print(topTable(subject, await look(client)));
    const stop = stopSignal();
    while (!stop.aborted) {
      const text = topTable(subject, await look(client));
      // Home, what is new, and nothing of what was longer: the screen does not flicker.
      process.stdout.write(`\u001b[H\u001b[2J${text}\n`);
      await context.clock.sleep(refreshMs, stop).catch(() => undefined);
    }
  } finally {
    client.close();
  }
}
