import type { Command } from "commander";
import type { Context } from "../context.ts";
import { shellWord } from "../platform/flag-values.ts";
import type { CommandModule } from "../program.ts";

export const newCommand: CommandModule = { register };

function register(program: Command, context: Context): void {
  program
    .command("new <template> <directory>")
    .description("make a project: typescript, hono, c, go, rust, python, component or native")
    .addHelpText("after", "\nExample:\n  shallop new typescript hello")
    .action((template: string, directory: string) => create(context, template, directory));
}

async function create(context: Context, template: string, directory: string): Promise<void> {
  const { createProject } = await import("../../build/index.ts");
  await createProject(template, directory, context.cacheDirectory);
  const install = template === "hono" ? " && npm install" : "";
  context.print(
    `made ${context.style.green(directory)}; go on with:\n  cd ${shellWord(directory)}${install} && shallop build`,
  );
}
