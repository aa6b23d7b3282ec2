import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { errorCode } from "../internal/fault.ts";
import { isImageTag, isRepositoryName } from "../image/index.ts";
import { BuildFault } from "./fault.ts";
import { type EngineName, engineNames } from "./engine/engine.ts";

/** `shallop.yaml`: what an image is built from. Paths are relative to the file. */
export interface Project {
  readonly directory: string;
  /** Repository of the image: `hello`, `team/hello`. */
  readonly name: string;
  /** Its tag. */
  readonly version: string;
  readonly wasm?: WasmProject;
  readonly native: readonly NativeProject[];
}

interface WasmProject {
  /** A module with a function (`.ts`, `.js`), a component, or a preview-1 core module (`.wasm`). */
  readonly source: string;
  /** For modules only. */
  readonly engine: EngineName;
}

export type NativeProject = NodeNativeProject | RootfsNativeProject;

/** The same module as the Wasm variant's, on Node, for the platform that builds it. */
interface NodeNativeProject {
  readonly kind: "node";
  readonly source: string;
  readonly env: readonly string[];
}

/** A root file system that is there already. */
export interface RootfsNativeProject {
  readonly kind: "rootfs";
  /** A directory, or a tar file, compressed with gzip or not. */
  readonly rootfs: string;
  /** `linux/amd64`. */
  readonly platform: string;
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: readonly string[];
  readonly user: string;
  readonly workingDir: string;
}

export const projectFile = "shallop.yaml";

/** @throws BuildFault PROJECT_INVALID, naming every field that cannot be */
export async function readProject(directory: string): Promise<Project> {
  const path = join(directory, projectFile);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw new BuildFault("PROJECT_INVALID", await whyUnread(directory, errorCode(error)));
  }
  const fields = new Fields(path);
  let document: unknown;
  try {
    document = parse(text, { maxAliasCount: 100 });
  } catch (error) {
    throw new BuildFault(
      "PROJECT_INVALID",
      `${path} is no YAML: ${(error instanceof Error ? error.message : String(error)).trim()}`,
    );
  }
  const project = projectOf(fields, directory, document);
  fields.check();
  return project;
}

/** The commonest mistake is to name the wrong directory. */
async function whyUnread(directory: string, code = "unknown"): Promise<string> {
  const found = await stat(directory).catch(() => undefined);
  if (found === undefined)
    return `there is no directory ${directory}; make a project with: shallop new typescript DIRECTORY`;
  if (!found.isDirectory()) return `${directory} is a file; name the directory that has the ${projectFile}`;
  if (code === "ENOENT")
    return `${directory} has no ${projectFile}; make a project with: shallop new typescript DIRECTORY`;
  return `${join(directory, projectFile)} cannot be read (${code})`;
}

function projectOf(fields: Fields, directory: string, document: unknown): Project {
  const root = fields.record("", document, ["name", "version", "wasm", "native"]);
  const native = root["native"] === undefined ? [] : fields.list("native", root["native"]);
  const project = {
    directory,
    name: fields.text("name", root["name"]),
    version: fields.text("version", root["version"] ?? "latest"),
    native: native.map((item, index) => nativeOf(fields, `native[${index}]`, item)),
    ...(root["wasm"] === undefined ? {} : { wasm: wasmOf(fields, root["wasm"]) }),
  };
  if (project.name !== "" && !isRepositoryName(project.name))
    fields.wrong("name", `${project.name} is no repository name: lower-case letters, digits, and . _ - / between them`);
  if (project.version !== "" && !isImageTag(project.version))
    fields.wrong("version", `${project.version} is no tag: letters, digits, and . _ - after the first`);
  if (project.wasm === undefined && project.native.length === 0)
    fields.wrong("wasm", "an image needs a wasm variant or a native one");
  return project;
}

function wasmOf(fields: Fields, value: unknown): WasmProject {
  const wasm = fields.record("wasm", value, ["source", "engine"]);
  const engine = engineNames.find((name) => name === (wasm["engine"] ?? "quickjs"));
  if (engine === undefined) fields.wrong("wasm.engine", `must be one of ${engineNames.join(", ")}`);
  return { source: fields.text("wasm.source", wasm["source"]), engine: engine ?? "quickjs" };
}

function nativeOf(fields: Fields, path: string, value: unknown): NativeProject {
  const native = fields.record(path, value, [
    "node",
    "rootfs",
    "platform",
    "entrypoint",
    "cmd",
    "env",
    "user",
    "workingDir",
  ]);
  const texts = (name: string): readonly string[] =>
    native[name] === undefined
      ? []
      : fields
          .list(`${path}.${name}`, native[name])
          .map((item, index) => fields.text(`${path}.${name}[${index}]`, item));
  if (native["node"] !== undefined) {
    for (const name of Object.keys(native).filter((key) => key !== "node" && key !== "env"))
      fields.wrong(`${path}.${name}`, "does not go with node; it is for rootfs");
    return { kind: "node", source: fields.text(`${path}.node`, native["node"]), env: texts("env") };
  }
  const platform = fields.text(`${path}.platform`, native["platform"]);
  if (platform !== "" && !/^linux\/[a-z0-9]+(\/[a-z0-9]+)?$/.test(platform))
    fields.wrong(`${path}.platform`, `must be linux/ARCHITECTURE, such as linux/amd64, not ${platform}`);
  return {
    kind: "rootfs",
    rootfs: fields.text(`${path}.rootfs`, native["rootfs"]),
    platform,
    entrypoint: texts("entrypoint"),
    cmd: texts("cmd"),
    env: texts("env"),
    user: native["user"] === undefined ? "" : fields.text(`${path}.user`, native["user"]),
    workingDir: native["workingDir"] === undefined ? "" : fields.text(`${path}.workingDir`, native["workingDir"]),
  };
}

/** Collects what is wrong, so that all of it is said at once. */
class Fields {
  readonly #file: string;
  readonly #wrong: string[] = [];

  constructor(file: string) {
    this.#file = file;
  }

  wrong(path: string, message: string): void {
    this.#wrong.push(`${path === "" ? "the file" : path}: ${message}`);
  }

  record(path: string, value: unknown, known: readonly string[]): Readonly<Record<string, unknown>> {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      this.wrong(path, `must be a mapping with ${known.join(", ")}`);
      return {};
    }
    for (const name of Object.keys(value)) {
      if (!known.includes(name))
        this.wrong(path === "" ? name : `${path}.${name}`, `is unknown; known are ${known.join(", ")}`);
    }
    return value as Record<string, unknown>;
  }

  text(path: string, value: unknown): string {
    if (typeof value === "string" && value !== "") return value;
    if (typeof value === "number") return String(value);
    this.wrong(path, "must be a text");
    return "";
  }

  list(path: string, value: unknown): readonly unknown[] {
    if (Array.isArray(value)) return value;
    this.wrong(path, "must be a list");
    return [];
  }

  check(): void {
    if (this.#wrong.length > 0) throw new BuildFault("PROJECT_INVALID", `${this.#file}: ${this.#wrong.join("; ")}`);
  }
}
