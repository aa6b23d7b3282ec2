import { chmodSync, copyFileSync, existsSync, linkSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { errorCode } from "@shallop/sdk/internal";
import { type ComponentPlan, glueCacheFile, glueFile, linksFile, parsePlan, planFile } from "./component-plan.ts";
import type { EngineArtifact, PreparedLinks } from "./engine.ts";

/** What a thread reads of a prepared component, beside its core modules. */
export type PreparedFiles =
  | { readonly form: "linked"; readonly links: PreparedLinks }
  | { readonly form: "bindings"; readonly glue: string; readonly glueCache: Uint8Array | undefined };

/** Where a file of a prepared component is, by its name. */
export type PathOf = (name: string) => string;

/** Of a component whose files are in a directory of their own, as `layOut` makes it. */
export const inDirectory =
  (directory: string): PathOf =>
  (name) =>
    join(directory, name);

/** @throws when there is no prepared component */
export function readPlan(pathOf: PathOf): ComponentPlan {
  const plan = parsePlan(readFileSync(pathOf(planFile), "utf8"));
  if (plan === undefined) throw new Error(`${pathOf(planFile)} is no plan of a prepared component`);
  return plan;
}

/** Reads them; at once, because a request waits for it. @throws when there is no prepared component */
export function readPreparedFiles(pathOf: PathOf): PreparedFiles {
  const plan = readPlan(pathOf);
  if (plan.form === "linked") {
    return { form: plan.form, links: JSON.parse(readFileSync(pathOf(linksFile), "utf8")) as PreparedLinks };
  }
  // The glue is ASCII: latin1 is read without being decoded.
  const glue = readFileSync(pathOf(glueFile), "latin1");
  const hasCache = plan.files.some(({ name }) => name === glueCacheFile);
  return { form: plan.form, glue, glueCache: hasCache ? readFileSync(pathOf(glueCacheFile)) : undefined };
}

/**
 * Makes a directory of a prepared component's files, which are the same ones where the file system has hard links. At once,
 * because a request may wait for it.
 */
export function layOut(pathOf: PathOf, directory: string): void {
  if (existsSync(join(directory, planFile))) return;
  const { modules, files } = readPlan(pathOf);
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  // The plan last: it says that the others are there.
  for (const name of [...[...modules, ...files].map((file) => file.name), planFile]) {
    share(pathOf(name), join(directory, name));
  }
}

function share(from: string, to: string): void {
  // Whoever looks may be another user.
  chmodSync(from, 0o444);
  try {
    linkSync(from, to);
  } catch (error) {
    if (errorCode(error) === "EEXIST") return;
    // A file system without hard links.
    copyFileSync(from, to);
    chmodSync(to, 0o444);
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
