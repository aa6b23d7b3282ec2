import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import { componentWit } from "@bytecodealliance/jco";
import { componentProblem } from "../internal/component-problem.ts";
import { bundleFunction, isOurs } from "./bundle.ts";
import { adaptModule } from "./adapt.ts";
import { componentNames, type ComponentNames } from "./engine/component-binary.ts";
import { buildWith, type EngineName } from "./engine/engine.ts";
import { targetWorld } from "./engine/wit.ts";
import { BuildFault } from "./fault.ts";
import { inSourceTerms } from "./source-places.ts";

export interface BuiltComponent extends ComponentNames {
  readonly bytes: Uint8Array;
  /** The JavaScript engine inside it; absent for what was a WebAssembly binary already. */
  readonly engine?: EngineName;
  /** The world that it was built for; absent for what was a WebAssembly binary already. */
  readonly target?: string;
}

/** First eight bytes: https://github.com/WebAssembly/component-model/blob/main/design/mvp/Binary.md */
const componentPreamble = Buffer.from([0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00]);
const modulePreamble = Buffer.from([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);

/**
 * A component of a source file: a function's module is bundled and put into a JavaScript engine, a preview-1 core module
 * is adapted, a component stays as it is.
 * @throws BuildFault SOURCE_INVALID | FUNCTION_INVALID | COMPONENT_INVALID
 */
export async function buildComponent(
  path: string,
  engine: EngineName,
  cacheDirectory: string,
): Promise<BuiltComponent> {
  if (extname(path) !== ".wasm") {
    const bytes = await buildFunction(path, engine, cacheDirectory);
    return { bytes, engine, target: targetWorld, ...componentNames(bytes) };
  }
  const binary = await readSource(path);
  const preamble = binary.subarray(0, componentPreamble.length);
  if (preamble.equals(componentPreamble)) {
    await checkComponent(binary, path);
    return { bytes: binary, ...componentNames(binary) };
  }
  if (preamble.equals(modulePreamble)) {
    const bytes = await adaptModule(binary, path);
    return { bytes, ...componentNames(bytes) };
  }
  throw new BuildFault(
    "COMPONENT_INVALID",
    `${path} is neither a WebAssembly component nor a core module: its first bytes are ${preamble.toString("hex")}`,
  );
}

/** Nobody should find out from a node that what was built elsewhere is broken. @throws BuildFault COMPONENT_INVALID */
async function checkComponent(component: Uint8Array, path: string): Promise<void> {
  try {
    await componentWit(component);
  } catch (error) {
    const found = componentProblem(error);
    if (found === undefined) return;
    const message = `${path} is an invalid component: ${found.problem}, at byte 0x${found.offset.toString(16)}`;
    throw new BuildFault("COMPONENT_INVALID", message, { cause: error });
  }
}

async function buildFunction(path: string, engine: EngineName, cacheDirectory: string): Promise<Uint8Array> {
  const { code, map } = await bundleFunction(path, engine);
  try {
    return await buildWith[engine](code, cacheDirectory);
  } catch (error) {
    if (!(error instanceof BuildFault) || error.code !== "FUNCTION_INVALID") throw error;
    // No cause: it says the same again, with places that nobody has seen.
    throw new BuildFault(error.code, inSourceTerms(`${path}: ${error.message}`, map, isOurs));
  }
}

async function readSource(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new BuildFault("SOURCE_INVALID", `${path} cannot be read`, { cause: error });
  }
}
