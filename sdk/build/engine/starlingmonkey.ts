import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BuildFault } from "../fault.ts";
import { topLevelMsUsual } from "./top-level.ts";
import { witText, worldName } from "./wit.ts";

const wizenPath = fileURLToPath(new URL("wizen-main.ts", import.meta.url));

/** A component of `source`, which is one bundled ES module. @throws BuildFault FUNCTION_INVALID */
export async function buildWithStarlingMonkey(
  source: string,
  _cacheDirectory: string,
  topLevelMsMax = topLevelMsUsual,
): Promise<Uint8Array> {
  // The componentizer is large and seldom needed.
  const { componentize } = await import("@bytecodealliance/componentize-js");
  const directory = await mkdtemp(join(tmpdir(), "shallop-starling-"));
  try {
    const sourcePath = join(directory, "function.js");
    await writeFile(sourcePath, source);
    const wizerBin = join(directory, "wizer");
    const wizer = `'${process.execPath}' --no-warnings '${wizenPath}' --top-level-ms-max=${topLevelMsMax}`;
    await writeFile(wizerBin, `#!/bin/sh\nexec ${wizer} "$@"\n`, { mode: 0o755 });
    const options = { sourcePath, witWorld: await witText(["cli/exit"]), worldName, wizerBin };
    const { component } = await componentize(options);
    return component;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new BuildFault("FUNCTION_INVALID", `the function's top level failed: ${reason}`, { cause: error });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
