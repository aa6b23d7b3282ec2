import { cp, readdir, readFile, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { errorCode } from "../internal/fault.ts";
import { makeDirectory } from "../internal/make-directory.ts";
import { buildComponent } from "./component.ts";
import { BuildFault } from "./fault.ts";

/** What `shallop new` can make, each a directory of `templates`. */
export const templateNames = ["typescript", "hono", "c", "go", "rust", "python", "component", "native"] as const;

const templates = fileURLToPath(new URL("templates/", import.meta.url));

/** Of languages whose modules lie in the project: what stands around a function, from `sdk/guest` to `shallop`. */
const guests = {
  go: fileURLToPath(new URL("../guest/go", import.meta.url)),
  rust: fileURLToPath(new URL("../guest/rust", import.meta.url)),
} as const;

/**
 * Writes a new project. `{{name}}` in its files becomes the directory's name.
 * @throws BuildFault TEMPLATE_UNKNOWN | TARGET_EXISTS
 */
export async function createProject(template: string, directory: string, cacheDirectory: string): Promise<void> {
  const known = templateNames.find((name) => name === template);
  if (known === undefined) {
    throw new BuildFault(
      "TEMPLATE_UNKNOWN",
      `there is no template ${JSON.stringify(template)}; there are ${templateNames.join(", ")}`,
    );
  }
  const target = resolve(directory);
  const present = await readdir(target).catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return [];
    throw unwritable(directory, error);
  });
  if (present.length > 0) throw new BuildFault("TARGET_EXISTS", `${directory} is not empty; name a new directory`);
  try {
    makeDirectory(target);
  } catch (error) {
    throw unwritable(directory, error);
  }
  await cp(join(templates, known), target, { recursive: true });
  await nameFiles(target, projectName(target));
  if (known === "go" || known === "rust") await copyGuest(guests[known], join(target, "shallop"));
  if (known === "component") await writeGreeting(target, cacheDirectory);
}

const unwritable = (directory: string, error: unknown): BuildFault =>
  new BuildFault(
    "TARGET_EXISTS",
    `${directory} cannot be written (${errorCode(error) ?? "unknown"}); name a new directory`,
  );

/** Without what a compiler has left there. */
const copyGuest = (from: string, to: string): Promise<void> =>
  cp(from, to, { recursive: true, filter: (path) => !["target", "Cargo.lock"].includes(basename(path)) });

/** So that the template of a prebuilt component has one: a function, built here. */
async function writeGreeting(target: string, cacheDirectory: string): Promise<void> {
  const { bytes } = await buildComponent(join(templates, "typescript/src/index.ts"), "quickjs", cacheDirectory);
  await writeFile(join(target, "component.wasm"), bytes);
}

/** A name that an image repository and a service may have. */
function projectName(directory: string): string {
  const name = basename(directory)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
  return name === "" || /^[0-9]/.test(name) ? `app${name === "" ? "" : `-${name}`}` : name;
}

async function nameFiles(directory: string, name: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || entry.name.endsWith(".wasm")) continue;
    const path = join(entry.parentPath, entry.name);
    await writeFile(path, (await readFile(path, "utf8")).replaceAll("{{name}}", name));
  }
}
