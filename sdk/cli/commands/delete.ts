import type { Command } from "commander";
import { type ConnectionFlags, connect, type Context } from "../context.ts";
import { withNamespace } from "../platform/connection-flags.ts";
import { checkName } from "../platform/flag-values.ts";
import type { CommandModule } from "../program.ts";

export const deleteCommand: CommandModule = { register };

function register(program: Command, context: Context): void {
  withNamespace(program.command("delete <name>").description("delete a service with its revisions and pods"))
    .addHelpText("after", "\nExample:\n  shallop delete hello")
    .action((name: string, flags: ConnectionFlags) => remove(context, name, flags));
}

/** Pods drain for half a minute at most. */
const goneTimeoutMs = 60_000;
const pollMs = 100;

async function remove(context: Context, name: string, flags: ConnectionFlags): Promise<void> {
  checkName(name);
  const { label, pods, services } = await import("../../api/index.ts");
  const { namespaceOf } = await import("../platform/services.ts");
  const client = await connect(context, flags);
  const progress = context.progress();
  try {
    const namespace = namespaceOf(flags);
    await client.delete(services, { namespace, name });
    const untilMs = context.clock.nowMs() + goneTimeoutMs;
    for (;;) {
      const { items } = await client.list(pods, { namespace, labelSelector: `${label.service}=${name}` });
      if (items.length === 0 || context.clock.nowMs() > untilMs) break;
      progress.step(`waiting for ${items.length} pod${items.length === 1 ? "" : "s"} of ${name} to finish`);
      await context.clock.sleep(pollMs);
    }
  } finally {
    progress.done();
    client.close();
  }
  context.print(`${name} is deleted`);
}
