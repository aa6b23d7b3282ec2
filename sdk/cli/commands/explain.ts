import type { Command } from "commander";
import { parseDurationMs } from "../../internal/duration.ts";
import type { Explanation, RevisionExplanation, ScaleDecision, ScaleReplay, WhatIf } from "../../wire/control.ts";
import { CliFault } from "../cli-fault.ts";
import { type ConnectionFlags, connect, type Context } from "../context.ts";
import { outputOption, withNamespace } from "../platform/connection-flags.ts";
import type { CommandModule } from "../program.ts";

export const explainCommand: CommandModule = { register };

interface ExplainFlags extends ConnectionFlags {
  readonly output?: string;
  readonly since?: number;
  readonly whatIf?: string;
}

function register(program: Command, context: Context): void {
  withNamespace(
    program
      .command("explain <name>")
      .description("show why a service has the pods it has: each decision with its numbers"),
  )
    .option("--since <duration>", "only decisions that held within this time, such as 1h", sinceMs)
    .option("--what-if <settings>", "replay the last hour's load with other settings, such as max-scale=20,target=50")
    .addOption(outputOption())
    .action((name: string, flags: ExplainFlags) => explain(context, name, flags));
}

function sinceMs(text: string): number {
  const value = parseDurationMs(text);
  if (value === undefined || value === 0)
    throw new CliFault("USAGE", `--since is a duration such as 30m or 1h, not ${JSON.stringify(text)}`);
  return value;
}

async function explain(context: Context, name: string, flags: ExplainFlags): Promise<void> {
  const { explainService } = await import("../../client/index.ts");
  const { namespaceOf } = await import("../platform/services.ts");
  const client = await connect(context, flags);
  try {
    const whole = await explainService(client, { namespace: namespaceOf(flags), name }, flags.whatIf);
    const explanation = flags.since === undefined ? whole : recent(whole, context.clock.wallMs() - flags.since);
    if (flags.output === "json") return context.print(JSON.stringify(explanation, null, 2));
    if (explanation.revisions.length === 0) return context.print(`${name} has no revision with pods or traffic`);
    for (const revision of explanation.revisions) await explainRevision(context, revision);
  } finally {
    client.close();
  }
}

/** A decision holds until the next one: the last one before `fromMs` still did at its beginning. */
function recent(explanation: Explanation, fromMs: number): Explanation {
  const revisions = explanation.revisions.map((revision) => {
    const first = revision.decisions.findLastIndex(({ at }) => Date.parse(at) <= fromMs);
    return { ...revision, decisions: revision.decisions.slice(Math.max(0, first)) };
  });
  return { ...explanation, revisions };
}

async function explainRevision(context: Context, revision: RevisionExplanation): Promise<void> {
  const { style } = context;
  context.print(style.bold(revision.revision));
  context.print(await decisionTable(context, revision.decisions));
  for (const { pod, node, reason } of revision.placements)
    context.print(`${style.dim("placed")} ${pod} on ${node}: ${reason}`);
  for (const { node, variant, reason } of revision.variants)
    context.print(`${style.dim("variant")} ${variant} on ${node}: ${reason}`);
  if (revision.refusal !== undefined)
    context.print(`${style.dim("refused")} ${revision.refusal.reason}: ${revision.refusal.message}`);
  if (revision.whatIf !== undefined) await explainWhatIf(context, revision.whatIf);
  context.print("");
}

async function decisionTable(context: Context, decisions: readonly ScaleDecision[]): Promise<string> {
  const { age, orDash, table } = await import("../output/table.ts");
  const rows = decisions.map((decision) => [
    age(decision.at, context.clock.wallMs()) + (decision.repeated > 0 ? ` (x${decision.repeated + 1})` : ""),
    String(decision.want),
    String(decision.ready),
    decision.formula,
    orDash(decision.bound),
    Object.entries(decision.inputs)
      .map(([key, value]) => `${key}=${String(value)}`)
      .join(" "),
  ]);
  return table(["DECIDED", "WANT", "READY", "FORMULA", "BOUND", "INPUTS"], rows);
}

async function explainWhatIf(context: Context, { settings, before, after }: WhatIf): Promise<void> {
  const { duration, table } = await import("../output/table.ts");
  const { style } = context;
  if (before.seconds === 0)
    return context.print(`${style.dim("what if")} ${settings}: there was no load within the last hour`);
  const row = (name: string, replay: ScaleReplay): string[] => [
    name,
    String(replay.peak),
    (replay.podSeconds / replay.seconds).toFixed(2),
    String(replay.changes),
    String(replay.startsFromZero),
  ];
  context.print(`${style.dim("what if")} ${settings}, on the load of the last ${duration(before.seconds * 1000)}:`);
  context.print(
    table(
      ["SETTINGS", "MOST PODS", "PODS ON AVERAGE", "CHANGES", "STARTS FROM ZERO"],
      [row("as they are", before), row(settings, after)],
    ),
  );
  context.print(await decisionTable(context, after.decisions));
}
