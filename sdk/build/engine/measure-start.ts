import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { BuildFault } from "../fault.ts";

const mainPath = fileURLToPath(new URL("measure-start-main.ts", import.meta.url));

/** Linking and compiling the largest engine takes three seconds; more than this is a machine that does nothing else. */
const measureMsMax = 60_000;

/**
 * Milliseconds from compiled modules to an instance that can be called, the median of five, in a process of its own: what
 * a node pays for a fresh instance, without the tricks by which it pays less.
 * @throws BuildFault COMPONENT_INVALID when no instance can be made
 */
export async function measureStart(component: Uint8Array): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), "shallop-measure-"));
  try {
    const path = join(directory, "component.wasm");
    await writeFile(path, component);
    const { stdout } = await promisify(execFile)(process.execPath, [mainPath, path], { timeout: measureMsMax });
    const startMs: unknown = JSON.parse(stdout);
    if (typeof startMs !== "number") throw new Error(`the measurement said ${stdout}`);
    return startMs;
  } catch (error) {
    throw new BuildFault(
      "COMPONENT_INVALID",
      "the start of the component cannot be measured: no instance of it can be made",
      {
        cause: error,
      },
    );
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
