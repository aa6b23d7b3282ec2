import type { Command } from "commander";
import type { Context } from "../context.ts";
import { outputOption, withNamespace } from "../platform/connection-flags.ts";
import type { DeployFlags } from "../platform/deploy-flags.ts";
import { collect } from "../platform/flag-values.ts";
import type { CommandModule } from "../program.ts";

export const deployCommand: CommandModule = { register };

function register(program: Command, context: Context): void {
  withNamespace(
    program.command("deploy <name>").description("run an image as a service, or give a service a new revision"),
  )
    .requiredOption("--image <ref>", "image to run: NAME:TAG of the built-in registry, or HOST/NAME:TAG")
    .option("-e, --env <name=value>", "environment variable; may be repeated", collect, [])
    .option("--concurrency <n>", "requests that a pod may have at once; 0 is no limit")
    .option("--timeout <duration>", "for a request, such as 30s")
    .option("--min-scale <n>", "pods that are always there")
    .option("--max-scale <n>", "pods that there may be; 0 is no limit")
    .option("--memory <quantity>", "limit of a pod, such as 64Mi")
    .option("--cpu <quantity>", "limit of a pod, such as 500m")
    .option("--port <port>", "where a native variant listens")
    .option("--prefer-variant <variant>", "wasm or native first; the other where that will not do")
    .option("--only-variant <variant>", "wasm or native, and no other")
    .option(
      "--annotation <name=value>",
      "on the revision, such as autoscaling.knative.dev/window=10s; may be repeated",
      collect,
      [],
    )
    .option("--revision <name>", "name of the new revision: NAME-…")
    .option("--no-wait", "return at once")
    .addOption(outputOption())
    .addHelpText("after", "\nExample:\n  shallop deploy hello --image hello:1.0.0 --max-scale 5")
    .action(async (name: string, flags: DeployFlags) => {
      const { deploy } = await import("../platform/deploy.ts");
      await deploy(context, name, flags);
    });
}
