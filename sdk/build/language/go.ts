import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { adaptFunction } from "../adapt.ts";
import { BuildFault } from "../fault.ts";
import type { Language, Source } from "./language.ts";
import { withRealloc } from "./realloc.ts";
import { type Environment, sourceFault } from "./tools.ts";

/** The first that exports functions of a module: `go:wasmexport`. */
const oldest = { major: 1, minor: 24 };

/** The same source gives the same bytes, wherever it lies. */
const reproducible = ["-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid="];

/** Go by its own compiler: a reactor of WASI preview 1 that speaks WASI 0.2 through `sdk/guest/go`, adapted. */
export const go: Language = { name: "Go", component, program };

async function component(source: Source): Promise<Uint8Array> {
  const output = join(source.scratch, "function.wasm");
  await build(source, ["-buildmode=c-shared"], { GOOS: "wasip1", GOARCH: "wasm" }, output);
  return adaptFunction(await withRealloc(await readFile(output), source.path), source.path);
}

function program(source: Source, to: string): Promise<void> {
  const architecture = process.arch === "x64" ? "amd64" : process.arch;
  return build(source, [], { GOOS: "linux", GOARCH: architecture }, to);
}

async function build(source: Source, args: readonly string[], target: Environment, to: string): Promise<void> {
  const { tools, path } = source;
  const compiler = await tools.find(["go"], async (name) =>
    isRecent((await tools.run(name, ["env", "GOVERSION"])).stdout),
  );
  if (compiler === undefined) throw missing(path);
  // A package is a directory; the files beside the one that is named belong to it.
  const directory = dirname(path);
  try {
    await tools.run(compiler, ["build", ...args, ...reproducible, ...source.args, "-o", to, "."], {
      directory,
      environment: { ...target, CGO_ENABLED: "0" },
    });
  } catch (error) {
    throw sourceFault(path, error);
  }
}

/** `go1.26.8`, `devel go1.27-…` */
function isRecent(version: string): boolean {
  const [, major = "0", minor = "0"] = /go(\d+)\.(\d+)/.exec(version) ?? [];
  return Number(major) > oldest.major || (Number(major) === oldest.major && Number(minor) >= oldest.minor);
}

const missing = (path: string): BuildFault =>
  new BuildFault(
    "TOOL_MISSING",
    `${basename(path)} is Go, and there is no go ${oldest.major}.${oldest.minor} or newer on this machine's PATH; get it from https://go.dev/dl, on macOS: brew install go; elsewhere name the directory that has it as tools in shallop.yaml`,
  );
