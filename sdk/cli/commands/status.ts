import type { Command } from "commander";
import { type Context, dataDirectoryOf } from "../context.ts";
import { outputOption } from "../platform/connection-flags.ts";
import type { CommandModule } from "../program.ts";

export const statusCommand: CommandModule = { register };

interface StatusFlags {
  readonly data?: string;
  readonly output?: string;
}

function register(program: Command, context: Context): void {
  program
    .command("status")
    .description("show the platform's processes, its nodes, and what is missing on this machine")
    .option("--data <dir>", "the data directory it was started with (default: ~/.shallop)")
    .addOption(outputOption())
    .action((flags: StatusFlags) => status(context, flags));
}

async function status(context: Context, flags: StatusFlags): Promise<void> {
  const { platformStatus } = await import("../platform/status.ts");
  const { listNodes } = await import("../platform/nodes.ts");
  const { table, duration, orDash } = await import("../output/table.ts");
  const dataDirectory = dataDirectoryOf(context, flags);
  const platform = await platformStatus(dataDirectory);
  const nodes = await listNodes(context, { data: dataDirectory }).catch(() => []);
  if (flags.output === "json") return context.print(JSON.stringify({ ...platform, nodes }, null, 2));
  const rows = platform.programs.map((program) => [
    program.name,
    program.state === "ready" ? context.style.green("ready") : context.style.yellow(program.state),
    orDash(program.pid),
    duration(program.uptimeMs),
    String(program.restarts),
  ]);
  context.print(table(["PROCESS", "STATE", "PID", "UP", "RESTARTS"], rows));
  context.print("");
  context.print(
    table(
      ["NODE", "READY", "NATIVE", "ADDRESS"],
      nodes.map((node) => [node.name, node.ready, node.native, node.address]),
    ),
  );
  for (const node of nodes) for (const missing of node.missing) context.print(`${node.name}: ${missing}`);
}
