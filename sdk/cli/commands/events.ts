import type { Command } from "commander";
import { type ConnectionFlags, connect, type Context } from "../context.ts";
import { outputOption, withNamespace } from "../platform/connection-flags.ts";
import type { CommandModule } from "../program.ts";

export const eventsCommand: CommandModule = { register };

function register(program: Command, context: Context): void {
  withNamespace(
    program.command("events [service]").description("show what has happened and why, of a service or of a namespace"),
  )
    .addOption(outputOption())
    .action((service: string | undefined, flags: ConnectionFlags & { readonly output?: string }) =>
      events(context, service, flags),
    );
}

async function events(
  context: Context,
  name: string | undefined,
  flags: ConnectionFlags & { readonly output?: string },
): Promise<void> {
  const { events: resource } = await import("../../api/index.ts");
  const { getService, namespaceOf } = await import("../platform/services.ts");
  const { eventsOf, timeOf } = await import("../platform/warnings.ts");
  const { eventRows } = await import("../platform/event-rows.ts");
  const { table } = await import("../output/table.ts");
  const client = await connect(context, flags);
  try {
    const namespace = namespaceOf(flags);
    const found =
      name === undefined
        ? (await client.list(resource, { namespace })).items.toSorted((a, b) => timeOf(a).localeCompare(timeOf(b)))
        : await eventsOf(client, await getService(client, namespace, name));
    if (flags.output === "json") return context.print(JSON.stringify(found, null, 2));
    context.print(table(["AGE", "TYPE", "OBJECT", "REASON", "MESSAGE"], eventRows(context, found)));
  } finally {
    client.close();
  }
}
