import type { Command } from "commander";
import type { RevisionExplanation } from "../../wire/control.ts";
import { type ConnectionFlags, connect, type Context } from "../context.ts";
import { outputOption, withNamespace } from "../platform/connection-flags.ts";
import type { CommandModule } from "../program.ts";

export const explainCommand: CommandModule = { register };

interface ExplainFlags extends ConnectionFlags {
  readonly output?: string;
}

function register(program: Command, context: Context): void {
  withNamespace(
    program
      .command("explain <name>")
      .description("show why a service has the pods it has: each decision with its numbers"),
  )
    .addOption(outputOption())
    .action((name: string, flags: ExplainFlags) => explain(context, name, flags));
}

async function explain(context: Context, name: string, flags: ExplainFlags): Promise<void> {
  const { explainService } = await import("../../client/index.ts");
  const { namespaceOf } = await import("../platform/services.ts");
  const client = await connect(context, flags);
  try {
    const explanation = await explainService(client, { namespace: namespaceOf(flags), name });
    if (flags.output === "json") return context.print(JSON.stringify(explanation, null, 2));
    if (explanation.revisions.length === 0) return context.print(`${name} has no revision with pods or traffic`);
    for (const revision of explanation.revisions) await explainRevision(context, revision);
  } finally {
    client.close();
  }
}

async function explainRevision(context: Context, revision: RevisionExplanation): Promise<void> {
  const { age, orDash, table } = await import("../output/table.ts");
  const { style } = context;
  context.print(style.bold(revision.revision));
  const decisions = revision.decisions.map((decision) => [
    age(decision.at, context.clock.wallMs()) + (decision.repeated > 0 ? ` (x${decision.repeated + 1})` : ""),
    String(decision.want),
    String(decision.ready),
    decision.formula,
    orDash(decision.bound),
    Object.entries(decision.inputs)
      .map(([key, value]) => `${key}=${String(value)}`)
      .join(" "),
  ]);
  context.print(table(["DECIDED", "WANT", "READY", "FORMULA", "BOUND", "INPUTS"], decisions));
  for (const { pod, node, reason } of revision.placements)
    context.print(`${style.dim("placed")} ${pod} on ${node}: ${reason}`);
  for (const { node, variant, reason } of revision.variants)
    context.print(`${style.dim("variant")} ${variant} on ${node}: ${reason}`);
  context.print("");
}
