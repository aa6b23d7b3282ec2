import { closeSync, openSync, readSync, statSync } from "node:fs";
import type { Command } from "commander";
import type { Context } from "../context.ts";
import { outputOption } from "../platform/connection-flags.ts";
import type { CommandModule } from "../program.ts";

export const inspectCommand: CommandModule = { register };

interface InspectFlags {
  readonly data?: string;
  readonly output?: string;
}

function register(program: Command, context: Context): void {
  program
    .command("inspect <image>")
    .usage("[options] IMAGE | FILE")
    .description(
      "show an image's variants and sizes, and its component's imports and exports; or of a file of WebAssembly, and whether it runs here",
    )
    .option("--data <dir>", "data directory of the platform on this machine (default: ~/.shallop)")
    .addOption(outputOption())
    .addHelpText(
      "after",
      "\nExample:\n  shallop inspect hello:1.0.0\n  shallop inspect component.wasm\n  shallop inspect ./build/component",
    )
    .action(async (image: string, flags: InspectFlags) => {
      if (namesFile(image)) {
        const { inspectFile } = await import("../platform/inspect-file.ts");
        return inspectFile(context, image, flags);
      }
      const { inspectImage } = await import("../platform/inspect.ts");
      await inspectImage(context, image, flags);
    });
}

/** A path that says so, or a file that is there and begins like WebAssembly; all else is an image, whose names have slashes too. */
function namesFile(text: string): boolean {
  if (text.endsWith(".wasm") || /^(?:\/|\.\.?\/|[a-zA-Z]:\\)/.test(text)) return true;
  // A pipe would wait for somebody to write.
  if (statSync(text, { throwIfNoEntry: false })?.isFile() !== true) return false;
  const head = Buffer.alloc(4);
  try {
    const file = openSync(text, "r");
    readSync(file, head);
    closeSync(file);
  } catch {
    // What cannot be read is told of as a file is.
    return true;
  }
  return head.toString("latin1") === "\0asm";
}
