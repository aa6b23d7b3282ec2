import type { Command } from "commander";
import type { Context } from "../context.ts";
import { collect } from "../platform/flag-values.ts";
import type { CommandModule } from "../program.ts";
import type { UpFlags } from "../platform/up-flags.ts";

export const upCommand: CommandModule = { register };

function register(program: Command, context: Context): void {
  program
    .command("up")
    .description("start the platform on this machine")
    .option("--data <dir>", "where it keeps everything (default: ~/.shallop)")
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option(
      "--advertise <host>",
      "name or address by which other machines reach the API, for their nodes to join; may be repeated",
      collect,
      [],
    )
    .option("--port <port>", "of the gateway", "8080")
    .option("--https-port <port>", "of the gateway with TLS (default: none)")
    .option(
      "--gateway <flag=value>",
      "a flag of shallop gateway, such as header-timeout=5s; may be repeated",
      collect,
      [],
    )
    .option(
      "--server <flag=value>",
      "a flag of shallop server, such as node-monitor-grace-period=40s; may be repeated",
      collect,
      [],
    )
    .option("--acme-directory <url>", "of the ACME authority that issues certificates where they are asked for")
    .option("--acme-email <address>", "of the account there")
    .option("--api-port <port>", "of the Kubernetes API", "6443")
    .option("--registry-port <port>", "of the built-in registry", "5000")
    .option("--registry-auth <kind>", "login on that port: none, basic or token (default: none)")
    .option("--registry-listen <host:port>", "where other machines reach the registry, with TLS and a login")
    .option("--registry-tls-cert <file>", "certificate for that (default: one of the platform's own authority)")
    .option("--registry-tls-key <file>", "and its key")
    .option("--registry-quota <size>", "of all that the registry stores, such as 20Gi")
    .option("--registry-repository-quota <size>", "of each repository")
    .option("--registry-untagged-lifetime <duration>", "how long manifests without a tag stay, such as 168h")
    .option(
      "--registry-upstream <name[=url]>",
      "a registry to be a cache of, such as docker.io; may be repeated",
      collect,
      [],
    )
    .option("--registry-mirror <host=url>", "where a registry is read first; may be repeated", collect, [])
    .option("--agent-port <port>", "of the node agent", "10250")
    .option("--node-name <name>", "of this machine's node (default: its host name)")
    .option("--prefer-variant <kind>", "wasm or native first, where a deployment says nothing (default: wasm)")
    .option("--domain <domain>", "of the services' host names", "localhost")
    .option(
      "--autoscaler <key=value>",
      "a setting of config-autoscaler, such as stable-window=20s; may be repeated",
      collect,
      [],
    )
    .option("--docker [path]", "serve Docker's API on a unix socket (default: docker.sock in the data directory)")
    .option("--detach", "return when it is ready; it goes on in the background")
    .addHelpText("after", "\nExample:\n  shallop up --port 8080 --data ./platform")
    .action(async (flags: UpFlags) => {
      const { up } = await import("../platform/up.ts");
      await up(context, flags);
    });
}
