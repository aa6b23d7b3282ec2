import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { keptBuildCache, keptCaches } from "../../sdk/internal/testing/index.ts";

const repository = fileURLToPath(new URL("../../", import.meta.url));
/** What a component is made of beside the function itself. */
const madeOf = ["package-lock.json", "sdk/build", "sdk/guest"];
const directory = join(keptCaches, "functions");
let builder: Promise<string> | undefined;

/**
 * A function's module as the component that `shallop build` makes of it. Many tests call the same few functions, and to build one
 * takes some seconds on a slow machine: it is built once, and kept under what it was made of and by.
 */
export async function builtFunction(script: string): Promise<Uint8Array> {
  builder ??= builderHash();
  const key = createHash("sha256")
    .update(await builder)
    .update(script)
    .digest("hex");
  const path = join(directory, `${key}.wasm`);
  const kept = await readFile(path).catch(() => undefined);
  return kept ?? (await build(script, path));
}

async function build(script: string, path: string): Promise<Uint8Array> {
  // Only here: most find what they need, and load no bundler.
  const { buildComponent } = await import("../../sdk/build/component.ts");
  await mkdir(directory, { recursive: true });
  const scratch = await mkdtemp(join(directory, "build-"));
  try {
    const source = join(scratch, "function.js");
    await writeFile(source, script);
    const { bytes } = await buildComponent(source, "quickjs", keptBuildCache);
    // Another test may do the same at this moment.
    const component = join(scratch, "component.wasm");
    await writeFile(component, bytes);
    await rename(component, path);
    return bytes;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function builderHash(): Promise<string> {
  const hash = createHash("sha256");
  for (const name of madeOf) {
    const path = join(repository, name);
    const files = name.includes(".") ? [path] : await filesIn(path);
    for (const file of files) hash.update(file).update(await readFile(file));
  }
  return hash.digest("hex");
}

async function filesIn(path: string): Promise<readonly string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !entry.name.includes(".test."))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}
