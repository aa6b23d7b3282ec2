import type { Command } from "commander";
import type { RequestStory } from "../../wire/control.ts";
import { type ConnectionFlags, connect, type Context } from "../context.ts";
import { outputOption, withNamespace } from "../platform/connection-flags.ts";
import type { CommandModule } from "../program.ts";

export const whyCommand: CommandModule = { register };

interface WhyFlags extends ConnectionFlags {
  readonly output?: string;
}

function register(program: Command, context: Context): void {
  withNamespace(
    program
      .command("why <request-id>")
      .description("tell what became of a request that failed, by the id in its answer"),
  )
    .addOption(outputOption())
    .action((id: string, flags: WhyFlags) => why(context, id, flags));
}

async function why(context: Context, id: string, flags: WhyFlags): Promise<void> {
  const { requestStory } = await import("../../client/index.ts");
  const client = await connect(context, flags);
  try {
    const story = await requestStory(client, id);
    if (flags.output === "json") return context.print(JSON.stringify(story, null, 2));
    await tell(context, story);
  } finally {
    client.close();
  }
}

async function tell(context: Context, story: RequestStory): Promise<void> {
  const { age, table } = await import("../output/table.ts");
  const { style } = context;
  const { method, host, path, client, at, revision, namespace, status, code, reason, queueMs, durationMs } = story;
  const asked = host === "" ? "what was no request" : `${method} http://${host}${path}`;
  context.print(`${style.bold(asked)} from ${client}, ${age(at, context.clock.wallMs())} ago`);
  const cut = story.answerBegun ? "its answer was cut short" : `it was answered ${String(status)}`;
  context.print(`${cut}: ${code}, ${reason}`);
  if (revision === "") return context.print(`${style.dim("revision")} it came to none: the gateway refused it`);
  context.print(`${style.dim("revision")} ${namespace}/${revision}`);
  context.print(`${style.dim("time")} ${ms(durationMs)}, of which it waited ${ms(queueMs)} for a pod`);
  if (story.attempts.length === 0) context.print(`${style.dim("pods")} it was given to none`);
  else {
    const rows = story.attempts.map(({ pod, node, fromMs, toMs, outcome }) => [
      ms(fromMs),
      ms(toMs - fromMs),
      pod,
      node,
      outcome,
    ]);
    context.print(table(["AT", "TOOK", "POD", "NODE", "ENDED WITH"], rows));
  }
  context.print(style.dim(`shallop logs, events and explain tell what its pods were doing then`));
}

const ms = (milliseconds: number): string => `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`;
