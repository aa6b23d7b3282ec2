import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

// A newcomer reads a folder's README first: it must exist, fit a page or so, and name every file.

const root = fileURLToPath(new URL("../../", import.meta.url));
const workspaces = ["sdk", "runtime", "gateway", "scheduler"];

/** Folders that are code: those with TypeScript directly in them. */
function codeFolders(directory: string): string[] {
  const entries = readdirSync(directory, { withFileTypes: true }).filter(
    ({ name }) => name !== "node_modules" && name !== "templates",
  );
  const here = entries.some((entry) => entry.isFile() && isSource(entry.name));
  return [
    ...(here ? [directory] : []),
    ...entries.filter((entry) => entry.isDirectory()).flatMap(({ name }) => codeFolders(join(directory, name))),
  ];
}

const isSource = (name: string): boolean =>
  name.endsWith(".ts") &&
  !/\.(test|process\.test|bench|fake|fixture|contract)\.ts$/.test(name) &&
  !name.endsWith(".d.ts") &&
  name !== "index.ts";

/** The README of a folder, or of the nearest folder above it that has one. */
function readmeOf(folder: string): string | undefined {
  for (let at = folder; at.length >= root.length; at = join(at, "..")) {
    const path = join(at, "README.md");
    if (statSync(path, { throwIfNoEntry: false }) !== undefined) return path;
  }
  return undefined;
}

const folders = workspaces.flatMap((name) => codeFolders(join(root, name)));

test.each(folders.map((folder) => relative(root, folder)))(
  "%s is described in a README that names its files",
  (name) => {
    const folder = join(root, name);
    const path = readmeOf(folder);
    expect(path, `${name} has no README.md`).toBeDefined();
    const text = readFileSync(path ?? "", "utf8");
    const unnamed = readdirSync(folder).filter((file) => isSource(file) && !text.includes(file.replace(/\.ts$/, "")));
    expect(unnamed, `not named in ${relative(root, path ?? "")}`).toEqual([]);
  },
);
