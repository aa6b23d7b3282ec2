import type { Command } from "commander";
import type { TrafficTarget } from "../../api/index.ts";
import { CliFault } from "../cli-fault.ts";
import { type ConnectionFlags, connect, type Context } from "../context.ts";
import { outputOption, withNamespace } from "../platform/connection-flags.ts";
import { collect, pairOf, wholeNumber } from "../platform/flag-values.ts";
import type { CommandModule } from "../program.ts";

export const trafficCommand: CommandModule = { register };

interface TrafficFlags extends ConnectionFlags {
  readonly to: readonly string[];
  readonly tag: readonly string[];
  readonly latest?: boolean;
  readonly output?: string;
}

function register(program: Command, context: Context): void {
  withNamespace(
    program
      .command("traffic <name>")
      .description("show how a service's requests are split over its revisions, or change it"),
  )
    .option(
      "--to <revision=percent>",
      "send this share; may be repeated, and makes 100 together; @latest is the newest",
      collect,
      [],
    )
    .option("--tag <revision=tag>", "give a revision an address of its own; may be repeated", collect, [])
    .option("--latest", "send everything to the newest revision")
    .addOption(outputOption())
    .addHelpText("after", "\nExample:\n  shallop traffic hello --to hello-00001=80 --to @latest=20 --tag @latest=next")
    .action((name: string, flags: TrafficFlags) => traffic(context, name, flags));
}

async function traffic(context: Context, name: string, flags: TrafficFlags): Promise<void> {
  const { changeService, getService, namespaceOf } = await import("../platform/services.ts");
  const { revisions } = await import("../../api/index.ts");
  const { orDash, table } = await import("../output/table.ts");
  const wanted = targetsOf(flags);
  const client = await connect(context, flags);
  try {
    const target = { namespace: namespaceOf(flags), name };
    for (const { revisionName } of wanted ?? []) {
      // The platform takes any name, and waits for its revision to come; who types one means one that there is.
      if (revisionName !== undefined) await client.get(revisions, target.namespace, revisionName);
    }
    const service =
      wanted === undefined
        ? await getService(client, target.namespace, name)
        : await changeService(client, target, (before) => ({ ...before, spec: { ...before.spec, traffic: wanted } }));
    const shown = wanted ?? service.status?.traffic ?? [];
    if (flags.output === "json") return context.print(JSON.stringify(shown, null, 2));
    const rows = shown.map((entry) => [
      entry.latestRevision === true
        ? `@latest${entry.revisionName === undefined ? "" : ` (${entry.revisionName})`}`
        : orDash(entry.revisionName),
      entry.percent === undefined ? "-" : `${entry.percent}%`,
      orDash(entry.tag),
      orDash(entry.url),
    ]);
    context.print(table(["REVISION", "SHARE", "TAG", "URL"], rows));
  } finally {
    client.close();
  }
}

/** @returns undefined when nothing is to be changed. @throws CliFault USAGE */
function targetsOf(flags: TrafficFlags): readonly TrafficTarget[] | undefined {
  const shares = new Map(flags.to.map((text) => pairOf("--to", text, "REVISION=PERCENT")));
  if (flags.latest === true) shares.set("@latest", "100");
  const tags = new Map(flags.tag.map((text) => pairOf("--tag", text, "REVISION=TAG")));
  if (shares.size === 0 && tags.size === 0) return undefined;
  if (shares.size === 0) shares.set("@latest", "100");
  const percents = new Map([...shares].map(([revision, share]) => [revision, wholeNumber("--to", share)]));
  const total = [...percents.values()].reduce((sum, percent) => sum + percent, 0);
  if (total !== 100) throw new CliFault("USAGE", `the shares make ${total} together, not 100`);
  return [...new Set([...shares.keys(), ...tags.keys()])].map((revision) => {
    const tag = tags.get(revision);
    return {
      ...(revision === "@latest" ? { latestRevision: true } : { revisionName: revision, latestRevision: false }),
      percent: percents.get(revision) ?? 0,
      ...(tag === undefined ? {} : { tag }),
    };
  });
}
