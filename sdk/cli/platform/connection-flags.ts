import { type Command, Option } from "commander";
import { CliFault } from "../cli-fault.ts";

/** The flags of every command that speaks to a platform. */
function withConnection(command: Command): Command {
  return command
    .option("--data <dir>", "data directory of the platform on this machine (default: ~/.shallop)")
    .option("--kubeconfig <file>", "speak to this platform instead");
}

/** `-o json`, the one form beside the one for people. */
export function outputOption(): Option {
  return new Option("-o, --output <format>", "json").argParser((format) => {
    if (format === "json") return format;
    throw new CliFault("USAGE", `--output is ${JSON.stringify(format)}; there is json`);
  });
}

export function withNamespace(command: Command): Command {
  return withConnection(command).option("-n, --namespace <name>", "namespace", "default");
}
