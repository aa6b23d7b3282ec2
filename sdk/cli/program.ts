import { Command } from "commander";
import type { Context } from "./context.ts";

/** A command's door: declares its flags, and loads the rest of itself when it is called. */
export interface CommandModule {
  register(program: Command, context: Context): void;
}

// One file a command. Each is small until it runs: what it needs beyond its flags it imports inside its action.
import { approveCommand } from "./commands/approve.ts";
import { buildCommand } from "./commands/build.ts";
import { deleteCommand } from "./commands/delete.ts";
import { deployCommand } from "./commands/deploy.ts";
import { describeCommand } from "./commands/describe.ts";
import { downCommand } from "./commands/down.ts";
import { eventsCommand } from "./commands/events.ts";
import { execCommand } from "./commands/exec.ts";
import { explainCommand } from "./commands/explain.ts";
import { imagesCommand } from "./commands/images.ts";
import { historyCommand } from "./commands/history.ts";
import { keyCommand } from "./commands/key.ts";
import { removeCommands } from "./commands/rmi.ts";
import { saveCommands } from "./commands/save.ts";
import { sbomCommand } from "./commands/sbom.ts";
import { signCommands } from "./commands/sign.ts";
import { systemCommand } from "./commands/system.ts";
import { tagCommand } from "./commands/tag.ts";
import { inspectCommand } from "./commands/inspect.ts";
import { listCommand } from "./commands/list.ts";
import { logsCommand } from "./commands/logs.ts";
import { newCommand } from "./commands/new.ts";
import { partCommands } from "./commands/parts.ts";
import { pullCommand } from "./commands/pull.ts";
import { pushCommand } from "./commands/push.ts";
import { registryCommand } from "./commands/registry.ts";
import { runCommand } from "./commands/run.ts";
import { serveCommand } from "./commands/serve.ts";
import { statusCommand } from "./commands/status.ts";
import { tokenCommand } from "./commands/token.ts";
import { topCommand } from "./commands/top.ts";
import { traceCommand } from "./commands/trace.ts";
import { trafficCommand } from "./commands/traffic.ts";
import { upCommand } from "./commands/up.ts";
import { whyCommand } from "./commands/why.ts";

const commands: readonly CommandModule[] = [
  upCommand,
  downCommand,
  statusCommand,
  newCommand,
  buildCommand,
  pushCommand,
  pullCommand,
  imagesCommand,
  tagCommand,
  historyCommand,
  saveCommands,
  removeCommands,
  systemCommand,
  registryCommand,
  inspectCommand,
  keyCommand,
  signCommands,
  sbomCommand,
  runCommand,
  serveCommand,
  deployCommand,
  approveCommand,
  listCommand,
  describeCommand,
  logsCommand,
  execCommand,
  trafficCommand,
  explainCommand,
  whyCommand,
  traceCommand,
  topCommand,
  eventsCommand,
  deleteCommand,
  partCommands,
  tokenCommand,
];

export function createProgram(context: Context): Command {
  const program = new Command("shallop")
    .description("Serverless containers whose first-class workload is the WebAssembly component.")
    .version("0.1.0")
    .showSuggestionAfterError()
    .exitOverride();
  for (const command of commands) command.register(program, context);
  for (const command of program.commands) command.exitOverride();
  return program;
}
