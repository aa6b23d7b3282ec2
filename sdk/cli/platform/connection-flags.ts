import type { Command } from "commander";

/** The flags of every command that speaks to a platform. */
function withConnection(command: Command): Command {
  return command
    .option("--data <dir>", "data directory of the platform on this machine (default: ~/.shallop)")
    .option("--kubeconfig <file>", "speak to this platform instead");
}

export function withNamespace(command: Command): Command {
  return withConnection(command).option("-n, --namespace <name>", "namespace", "default");
}
