import { readFileSync } from "node:fs";
import { join } from "node:path";
import { glueCacheFile, glueFile, linksFile, parsePlan, planFile } from "./component-plan.ts";
import type { EngineArtifact, PreparedLinks } from "./engine.ts";

/** What a thread reads of a prepared component, beside its core modules. */
export type PreparedFiles =
  | { readonly form: "linked"; readonly links: PreparedLinks }
  | { readonly form: "bindings"; readonly glue: string; readonly glueCache: Uint8Array | undefined };

/** Reads them; at once, because a request waits for it. @throws when the directory holds no prepared component */
export function readPreparedFiles(directory: string): PreparedFiles {
  const plan = parsePlan(readFileSync(join(directory, planFile), "utf8"));
  if (plan === undefined) throw new Error(`${directory} holds no prepared component`);
  if (plan.form === "linked") {
    return { form: plan.form, links: JSON.parse(readFileSync(join(directory, linksFile), "utf8")) as PreparedLinks };
  }
  // The glue is ASCII: latin1 is read without being decoded.
  const glue = readFileSync(join(directory, glueFile), "latin1");
  return { form: plan.form, glue, glueCache: readCache(directory) };
}

function readCache(directory: string): Uint8Array | undefined {
  try {
    return readFileSync(join(directory, glueCacheFile));
  } catch {
    return undefined;
  }
}

/** `warmCache`: V8's code cache of the glue as another thread left it. */
export function artifactOf(
  files: PreparedFiles,
  modules: ReadonlyMap<string, WebAssembly.Module>,
  warmCache?: Uint8Array,
): EngineArtifact {
  if (files.form === "linked") return { ...files, modules: [...modules.values()] };
  return { ...files, modules, glueCache: warmCache ?? files.glueCache };
}
