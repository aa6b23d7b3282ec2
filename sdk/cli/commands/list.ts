import type { Command } from "commander";
import { type ConnectionFlags, connect, type Context } from "../context.ts";
import { outputOption, withNamespace } from "../platform/connection-flags.ts";
import type { CommandModule } from "../program.ts";

export const listCommand: CommandModule = { register };

interface ListFlags extends ConnectionFlags {
  readonly allNamespaces?: boolean;
  readonly output?: string;
}

function register(program: Command, context: Context): void {
  withNamespace(program.command("list").alias("ls").description("list the services"))
    .option("-A, --all-namespaces", "of every namespace")
    .addOption(outputOption())
    .action((flags: ListFlags) => list(context, flags));
}

async function list(context: Context, flags: ListFlags): Promise<void> {
  const { pods, services, label } = await import("../../api/index.ts");
  const { namespaceOf, readyCondition } = await import("../platform/services.ts");
  const { age, orDash, table } = await import("../output/table.ts");
  const client = await connect(context, flags);
  try {
    const selector = flags.allNamespaces === true ? {} : { namespace: namespaceOf(flags) };
    const [found, running] = await Promise.all([client.list(services, selector), client.list(pods, selector)]);
    if (flags.output === "json") return context.print(JSON.stringify(found.items, null, 2));
    if (found.items.length === 0) return context.print("no services; make one with: shallop deploy NAME --image REF");
    const rows = found.items.map((service) => {
      const ready = readyCondition(service);
      const mine = running.items.filter(
        (pod) =>
          pod.metadata.namespace === service.metadata.namespace &&
          pod.metadata.labels?.[label.service] === service.metadata.name,
      );
      return [
        ...(flags.allNamespaces === true ? [orDash(service.metadata.namespace)] : []),
        service.metadata.name,
        ready?.status === "True" ? context.style.green("True") : context.style.yellow(orDash(ready?.status)),
        String(mine.length),
        orDash(service.status?.latestReadyRevisionName),
        age(service.metadata.creationTimestamp, context.clock.wallMs()),
        orDash(
          ready?.status === "True" ? service.status?.url : `${ready?.reason ?? ""} ${ready?.message ?? ""}`.trim(),
        ),
      ];
    });
    const header = ["NAME", "READY", "PODS", "REVISION", "AGE", "URL"];
    context.print(table(flags.allNamespaces === true ? ["NAMESPACE", ...header] : header, rows));
  } finally {
    client.close();
  }
}
