import type { Context } from "../context.ts";
import { printable } from "../output/printable.ts";
import { bytes } from "../output/table.ts";
import { readStandalone } from "./standalone.ts";

/** What runtime/standalone/inspect.ts says of a file. */
interface Inspection {
  readonly kind: "component" | "core-module";
  readonly sizeBytes: number;
  readonly world?: string;
  readonly wasiVersion?: string;
  readonly imports: readonly string[];
  readonly exports: readonly string[];
  readonly refused: readonly string[];
}

/** What a FILE.wasm is, and whether this machine's node would run it. A file may be hostile: another process reads it. */
export async function inspectFile(context: Context, path: string, flags: { readonly output?: string }): Promise<void> {
  const { exitCode, output } = await readStandalone(context, ["inspect", path]);
  if (exitCode !== 0) {
    process.exitCode = exitCode;
    return;
  }
  if (flags.output === "json") return context.print(output.trimEnd());
  print(context, path, JSON.parse(output) as Inspection);
}

function print(context: Context, path: string, found: Inspection): void {
  const { style } = context;
  const kind = found.kind === "component" ? "component" : "core module";
  context.print(`${style.bold(path)}, a ${kind} of ${bytes(found.sizeBytes)}`);
  context.print(`  world  ${found.world ?? "none that this node runs"}\n  WASI   ${found.wasiVersion ?? "none"}`);
  const lists: readonly (readonly [title: string, lines: readonly string[]])[] = [
    ["imports", found.imports],
    ["exports", found.exports],
    ["refused by this node", found.refused],
  ];
  for (const [title, lines] of lists) {
    if (lines.length > 0)
      context.print(
        `\n${style.bold(title)}\n${lines.map((line) => `  ${printable(line.replaceAll("\n", "^J"))}`).join("\n")}`,
      );
  }
}
