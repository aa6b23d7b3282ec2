import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { adaptFunction } from "../adapt.ts";
import { BuildFault } from "../fault.ts";
import type { Language, Source } from "./language.ts";
import { sourceFault, type Tools } from "./tools.ts";

/** `shallop.h`, and what stands behind it. */
const guest = fileURLToPath(new URL("../../guest/c/", import.meta.url));

/** Newest first; Homebrew keeps its own apart from Apple's, which makes no WebAssembly. */
const programs = [
  "clang",
  ...[22, 21, 20, 19, 18, 17, 16, 15, 14].map((version) => `clang-${version}`),
  "/opt/homebrew/opt/llvm/bin/clang",
  "/usr/local/opt/llvm/bin/clang",
];

const common = ["-std=gnu11", "-Wall", "-Wextra"];

/**
 * Said to the compiler proper: a driver that is told to optimise runs whatever `wasm-opt` the PATH has over what it links,
 * and then the same source gives another digest on another machine.
 */
const optimised = ["-Xclang", "-O2"];

/**
 * Memory of two pages, of which the first is the stack: it lies below everything else, so that one that overflows traps
 * and overwrites nothing.
 */
const freestanding = [
  ...optimised,
  ...["--target=wasm32", "-ffreestanding", "-nostdlib", "-flto", "-mbulk-memory", "-fvisibility=hidden"],
  ...["-Wl,--no-entry", "-Wl,--stack-first", "-Wl,-z,stack-size=65536", "-Wl,--strip-debug"],
];

const withLibc = [
  ...optimised,
  ...["--target=wasm32-wasi", "-mexec-model=reactor", "-DSHALLOP_LIBC", "-mbulk-memory", "-fvisibility=hidden"],
  ...["-Wl,--stack-first", "-Wl,-z,stack-size=65536", "-Wl,--strip-debug"],
];

/** C by clang and lld: WASI 0.2 through the canonical ABI, without a C library unless the project wants one. */
export const c: Language = { name: "C", component, program };

async function component(source: Source): Promise<Uint8Array> {
  const { tools, path } = source;
  const clang = await tools.find(programs, (program) => makesWasm(tools, program));
  if (clang === undefined) throw missing(path, "clang and lld that make WebAssembly", "clang lld", "llvm lld");
  if (source.libc && !(await hasLibc(tools, clang)))
    throw missing(
      path,
      "wasi-libc, which libc: true asks for,",
      "wasi-libc libclang-rt-dev-wasm32",
      "wasi-libc wasi-runtimes",
    );
  const output = join(source.scratch, "function.wasm");
  await compile(source, clang, [...(source.libc ? withLibc : freestanding), path, join(guest, "wasi.c"), "-o", output]);
  return adaptFunction(await readFile(output), path);
}

async function program(source: Source, to: string): Promise<void> {
  const { tools, path } = source;
  const compiler = await tools.find(["cc", "gcc", ...programs], (name) => linksStatically(tools, name));
  if (compiler === undefined) throw missing(path, "C compiler that links statically", "gcc libc6-dev", "llvm");
  await compile(source, compiler, ["-O2", "-static", "-pthread", "-s", path, join(guest, "native.c"), "-o", to]);
}

async function compile(source: Source, compiler: string, args: readonly string[]): Promise<void> {
  try {
    // What tells where the project lies would make the same source give another digest elsewhere.
    const places = [`-ffile-prefix-map=${source.directory}=.`, "-I", guest];
    await source.tools.run(compiler, [...common, ...places, ...args, ...source.args], { directory: source.directory });
  } catch (error) {
    throw sourceFault(source.path, error);
  }
}

/** Apple's clang knows no WebAssembly, and a clang may be there without its linker. */
async function makesWasm(tools: Tools, clang: string): Promise<boolean> {
  const { stdout: targets } = await tools.run(clang, ["--print-targets"]);
  if (!/^\s*wasm32\b/m.test(targets)) return false;
  const { stdout: linker } = await tools.run(clang, ["--print-prog-name=wasm-ld"]);
  return linker.trim().includes("/");
}

/** A file that is not there comes back as its bare name. */
async function hasLibc(tools: Tools, clang: string): Promise<boolean> {
  const { stdout } = await tools.run(clang, ["--target=wasm32-wasi", "--print-file-name=crt1-reactor.o"]);
  return stdout.trim().includes("/");
}

async function linksStatically(tools: Tools, compiler: string): Promise<boolean> {
  const { stdout } = await tools.run(compiler, ["--print-file-name=libc.a"]);
  return stdout.trim().includes("/");
}

const missing = (path: string, what: string, debian: string, homebrew: string): BuildFault =>
  new BuildFault(
    "TOOL_MISSING",
    `${basename(path)} is C, and there is no ${what} on this machine's PATH; on Debian and Ubuntu: apt-get install ${debian}; on macOS: brew install ${homebrew}; elsewhere name the directory that has them as tools in shallop.yaml`,
  );
