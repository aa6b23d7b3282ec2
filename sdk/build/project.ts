import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { errorCode } from "../internal/fault.ts";
import { isImageTag, isRepositoryName } from "../image/index.ts";
import { BuildFault } from "./fault.ts";
import { type EngineName, engineNames } from "./engine/engine.ts";
import { languageOf } from "./language/language.ts";

/** `shallop.yaml`: what an image is built from. Paths are relative to the file. */
export interface Project {
  readonly directory: string;
  /** Repository of the image: `hello`, `team/hello`. */
  readonly name: string;
  /** Its tag. */
  readonly version: string;
  /** A directory that compilers are looked for in before the PATH. */
  readonly tools?: string;
  readonly wasm?: WasmProject;
  readonly native: readonly NativeProject[];
}

interface WasmProject {
  /**
   * A module with a function (`.ts`, `.js`), a source of a compiled language (`sdk/build/language`), a component, or a
   * preview-1 core module (`.wasm`).
   */
  readonly source: string;
  /** For modules only. */
  readonly engine: EngineName;
  /** More for the compiler, where there is one. */
  readonly args: readonly string[];
  /** C only: with a C library. */
  readonly libc: boolean;
}

export type NativeProject = NodeNativeProject | CompiledNativeProject | RootfsNativeProject | DockerfileNativeProject;

/** A static program of the same source as the Wasm variant's, for the platform that builds it. */
interface CompiledNativeProject {
  readonly kind: "compiled";
  readonly source: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
}

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

/** What a Dockerfile makes, for each of its platforms. */
export interface DockerfileNativeProject {
  readonly kind: "dockerfile";
  readonly dockerfile: string;
  /** A directory, or a tar file. */
  readonly context: string;
  /** A stage by name or number; the last one when absent. */
  readonly target?: string;
  readonly buildArgs: Readonly<Record<string, string>>;
  /** `linux/amd64`; the one of the machine that builds when empty. */
  readonly platforms: readonly string[];
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
  const root = fields.record("", document, ["name", "version", "tools", "wasm", "native"]);
  const native = root["native"] === undefined ? [] : fields.list("native", root["native"]);
  const project = {
    directory,
    name: fields.text("name", root["name"]),
    version: fields.text("version", root["version"] ?? "latest"),
    native: native.map((item, index) => nativeOf(fields, `native[${index}]`, item)),
    ...(root["tools"] === undefined ? {} : { tools: fields.text("tools", root["tools"]) }),
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
  const wasm = fields.record("wasm", value, ["source", "engine", "args", "libc"]);
  const engine = engineNames.find((name) => name === (wasm["engine"] ?? "quickjs"));
  if (engine === undefined) fields.wrong("wasm.engine", `must be one of ${engineNames.join(", ")}`);
  const source = fields.text("wasm.source", wasm["source"]);
  const language = languageOf(source);
  if (language !== undefined && wasm["engine"] !== undefined)
    fields.wrong("wasm.engine", `is for JavaScript, and ${source} is ${language.name}`);
  if (language === undefined && wasm["args"] !== undefined)
    fields.wrong("wasm.args", `is for a compiler, and ${source} needs none`);
  const libc = wasm["libc"] ?? false;
  if (typeof libc !== "boolean") fields.wrong("wasm.libc", "must be true or false");
  else if (libc && language?.name !== "C") fields.wrong("wasm.libc", `is for C, and ${source} is none`);
  return { source, engine: engine ?? "quickjs", args: fields.texts("wasm.args", wasm["args"]), libc: libc === true };
}

/** The fields of each kind of native variant; the first says that it is one of that kind. */
const nativeFields = {
  node: ["node", "env"],
  source: ["source", "args", "env"],
  rootfs: ["rootfs", "platform", "entrypoint", "cmd", "env", "user", "workingDir"],
  dockerfile: ["dockerfile", "context", "target", "buildArgs", "platform"],
} as const satisfies Record<string, readonly string[]>;

function nativeOf(fields: Fields, path: string, value: unknown): NativeProject {
  const native = fields.record(path, value, [...new Set(Object.values(nativeFields).flat())]);
  const kind = (["node", "source", "dockerfile"] as const).find((name) => native[name] !== undefined) ?? "rootfs";
  checkOwnFields(fields, path, { kind, names: Object.keys(native) });
  const text = (name: string): string => fields.text(`${path}.${name}`, native[name]);
  const texts = (name: string): readonly string[] => fields.texts(`${path}.${name}`, native[name]);
  if (kind === "node") return { kind, source: text("node"), env: texts("env") };
  if (kind === "source")
    return compiledOf(fields, path, { source: text("source"), args: texts("args"), env: texts("env") });
  if (kind === "dockerfile") return dockerfileOf(fields, path, native);
  const platform = text("platform");
  if (platform !== "" && !isLinuxPlatform(platform))
    fields.wrong(`${path}.platform`, `must be linux/ARCHITECTURE, such as linux/amd64, not ${platform}`);
  return {
    kind,
    rootfs: text("rootfs"),
    platform,
    entrypoint: texts("entrypoint"),
    cmd: texts("cmd"),
    env: texts("env"),
    user: native["user"] === undefined ? "" : text("user"),
    workingDir: native["workingDir"] === undefined ? "" : text("workingDir"),
  };
}

/** A field of another kind of native variant. */
function checkOwnFields(
  fields: Fields,
  path: string,
  { kind, names }: { readonly kind: keyof typeof nativeFields; readonly names: readonly string[] },
): void {
  const own: readonly string[] = nativeFields[kind];
  for (const name of names.filter((key) => !own.includes(key))) {
    const others = Object.entries(nativeFields).filter(([, known]) => (known as readonly string[]).includes(name));
    if (others.length === 0) continue;
    const kinds = others.map(([other]) => other).join(" and ");
    fields.wrong(`${path}.${name}`, `does not go with ${kind}; it is for ${kinds}`);
  }
}

function dockerfileOf(
  fields: Fields,
  path: string,
  native: Readonly<Record<string, unknown>>,
): DockerfileNativeProject {
  const { platform, target, context } = native;
  const platforms =
    platform === undefined
      ? []
      : Array.isArray(platform)
        ? fields.texts(`${path}.platform`, platform)
        : [fields.text(`${path}.platform`, platform)];
  for (const one of platforms) {
    if (one !== "" && !isLinuxPlatform(one))
      fields.wrong(`${path}.platform`, `must be linux/ARCHITECTURE, such as linux/amd64, not ${one}`);
  }
  return {
    kind: "dockerfile",
    dockerfile: fields.text(`${path}.dockerfile`, native["dockerfile"]),
    context: context === undefined ? "." : fields.text(`${path}.context`, context),
    buildArgs: fields.textMap(`${path}.buildArgs`, native["buildArgs"]),
    platforms,
    ...(target === undefined ? {} : { target: fields.text(`${path}.target`, target) }),
  };
}

export const isLinuxPlatform = (text: string): boolean => /^linux\/[a-z0-9]+(\/[a-z0-9]+)?$/.test(text);

function compiledOf(fields: Fields, path: string, variant: Omit<CompiledNativeProject, "kind">): CompiledNativeProject {
  const language = languageOf(variant.source);
  if (language?.program === undefined && variant.source !== "") {
    const what =
      language === undefined ? "none of C, Go and Rust" : `${language.name}, of which no static program is made`;
    fields.wrong(`${path}.source`, `${variant.source} is ${what}; use node for JavaScript, and rootfs for the rest`);
  }
  return { kind: "compiled", ...variant };
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

  /** A list that may be left out. */
  texts(path: string, value: unknown): readonly string[] {
    if (value === undefined) return [];
    return this.list(path, value).map((item, index) => this.text(`${path}[${index}]`, item));
  }

  /** A mapping of texts that may be left out. */
  textMap(path: string, value: unknown): Readonly<Record<string, string>> {
    if (value === undefined) return {};
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      this.wrong(path, "must be a mapping of names to texts");
      return {};
    }
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, this.text(`${path}.${name}`, item)]));
  }

  check(): void {
    if (this.#wrong.length > 0) throw new BuildFault("PROJECT_INVALID", `${this.#file}: ${this.#wrong.join("; ")}`);
  }
}
