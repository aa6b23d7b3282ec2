import { type Command, Option } from "commander";
import type { Context } from "../context.ts";
import type { BuildFlags } from "../platform/build-flags.ts";
import { outputOption } from "../platform/connection-flags.ts";
import type { CommandModule } from "../program.ts";
import { collect } from "../platform/flag-values.ts";

export const buildCommand: CommandModule = { register };

const examples = `
PATH is a directory with a shallop.yaml, of which every variant is built; or a directory or tar archive with a
Dockerfile or Containerfile; or a component (.wasm). "-" reads an archive from standard input.

RUN is done in a container, by runc or crun, as root on Linux: closed in as native pods are, and without a network unless
--network host is given. A Dockerfile without RUN is built by everybody, everywhere.

Examples:
  shallop build samples/hono --push
  shallop build . -t shop:1 --build-arg VERSION=1.2 --network host
  shallop build . -f deploy/Containerfile --target server --platform linux/amd64,linux/arm64
  shallop build root.tar --rootfs --entrypoint /server -t server:1`;

function register(program: Command, context: Context): void {
  program
    .command("build [path]")
    .description("build an image: of a project, a Dockerfile, a component or a root file system")
    .option("-t, --tag <ref>", "name of the image (default: NAME:VERSION of the project, or the directory's name)")
    .option("-f, --file <file>", "the Dockerfile; in an archive, from its root (default: Dockerfile or Containerfile)")
    .option("--target <stage>", "the stage of the Dockerfile that becomes the image")
    .option("--build-arg <name=value>", "value of an ARG; NAME alone takes the environment's (repeatable)", collect, [])
    .option("--label <name=value>", "label of what a Dockerfile makes (repeatable)", collect, [])
    .option(
      "--platform <platforms>",
      "only these, with commas between: wasm, linux, linux/arm64, … (repeatable)",
      collect,
      [],
    )
    .option("--no-cache", "carry out every step of Dockerfiles anew")
    .option("--pull", "ask registries for base images that are here already")
    .option("--network <kind>", "what RUN reaches: none, or host", "none")
    .option("--memory <size>", "memory of each RUN", "2Gi")
    .option("--cpus <cores>", "cores of each RUN (default: all)")
    .option("--pids <count>", "processes of each RUN", "2048")
    .option("--timeout <duration>", "time of each RUN", "1h")
    .option("--known-escapes <policy>", "RUN by a runc or crun with known ways out: refuse, or allow", "refuse")
    .option("--rootfs", "PATH is a root file system: a directory or tar archive")
    .option("--entrypoint <word>", "with --rootfs: what is run; a word each time (repeatable)", collect, [])
    .option(
      "--engine <engine>",
      "JavaScript engine of functions: quickjs, starlingmonkey, or auto to build and measure both",
    )
    .option("--push", "push it to its registry too")
    .addOption(
      new Option("--sbom <format>", "of the bill of materials that goes with it when it is pushed").choices([
        "spdx",
        "cyclonedx",
      ]),
    )
    .option("--data <dir>", "data directory of the platform on this machine (default: ~/.shallop)")
    .addOption(outputOption())
    .addHelpText("after", examples)
    .action(async (path: string | undefined, flags: BuildFlags) => {
      const { build } = await import("../platform/build.ts");
      await build(context, path ?? ".", flags);
    });
}
