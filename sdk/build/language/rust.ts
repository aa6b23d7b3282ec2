import { copyFile, readdir, readFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { adaptModule } from "../adapt.ts";
import { BuildFault } from "../fault.ts";
import type { Language, Source } from "./language.ts";
import { type Environment, sourceFault, ToolFailure, type Tools } from "./tools.ts";

const wasmTarget = "wasm32-wasip1";

/** Rust by cargo: the library as a reactor of WASI preview 1 that was made with wit-bindgen, adapted. */
export const rust: Language = { name: "Rust", component, program };

async function component(source: Source): Promise<Uint8Array> {
  const { tools, path } = source;
  await checkCargo(source);
  if (!(await hasStandardLibrary(tools, wasmTarget))) {
    throw new BuildFault(
      "TOOL_MISSING",
      `${basename(path)} is Rust, and the Rust on this machine has no standard library for ${wasmTarget}; with rustup: rustup target add ${wasmTarget}; on Debian and Ubuntu, for their own Rust: apt-get install libstd-rust-dev-wasm32 rust-llvm`,
    );
  }
  const built = await cargo(source, ["rustc", "--lib", "--crate-type", "cdylib", "--target", wasmTarget]);
  const module = built.find((file) => file.endsWith(".wasm"));
  if (module === undefined)
    throw new BuildFault("SOURCE_INVALID", `${path} has no library, which becomes the component`);
  return adaptModule(await readFile(module), path);
}

async function program(source: Source, to: string): Promise<void> {
  await checkCargo(source);
  const machine = process.arch === "arm64" ? "aarch64" : "x86_64";
  const musl = `${machine}-unknown-linux-musl`;
  const target = (await hasStandardLibrary(source.tools, musl)) ? musl : `${machine}-unknown-linux-gnu`;
  const flags = `CARGO_TARGET_${target.replaceAll("-", "_").toUpperCase()}_RUSTFLAGS`;
  const which = source.args.includes("--bin") ? [] : ["--bins"];
  const built = await cargo(source, ["build", ...which, "--target", target], {
    [flags]: "-C target-feature=+crt-static",
  });
  const [executable, another] = built;
  if (executable === undefined || another !== undefined) {
    const many = executable === undefined ? "no program" : "several programs; choose one with args: [--bin, NAME]";
    throw new BuildFault("SOURCE_INVALID", `${source.path} has ${many}`);
  }
  await copyFile(executable, to);
}

/** The files that cargo has made of the package itself. @throws BuildFault SOURCE_INVALID */
async function cargo(
  source: Source,
  command: readonly string[],
  environment: Environment = {},
): Promise<readonly string[]> {
  const { tools, path } = source;
  const settings = ["--release", "--quiet", "--manifest-path", path, "--message-format=json-render-diagnostics"];
  try {
    const { stdout } = await tools.run("cargo", [...command, ...settings, ...source.args], {
      directory: dirname(path),
      environment,
    });
    const messages = stdout.split("\n").flatMap((line) => (line.startsWith("{") ? [JSON.parse(line) as Message] : []));
    const own = messages.filter((message) => message.reason === "compiler-artifact" && message.manifest_path === path);
    // A program's message names the file twice: it alone has an executable.
    return own.flatMap(({ executable, filenames }) =>
      command[0] === "build" ? [executable ?? []].flat() : (filenames ?? []),
    );
  } catch (error) {
    throw sourceFault(path, error);
  }
}

/** Of cargo's messages (https://doc.rust-lang.org/cargo/reference/external-tools.html), what is read here. */
interface Message {
  readonly reason: string;
  readonly manifest_path?: string;
  readonly executable?: string | null;
  readonly filenames?: readonly string[];
}

/** @throws BuildFault TOOL_MISSING */
async function checkCargo({ tools, path }: Source): Promise<void> {
  let said: string | undefined;
  const found = await tools.find(["cargo"], async (name) => {
    await tools.run(name, ["--version"]).catch((error: unknown) => {
      if (error instanceof ToolFailure) said = error.said;
      throw error;
    });
    return true;
  });
  if (found !== undefined) return;
  // Such as rustup's, which has no toolchain yet.
  if (said !== undefined) {
    const why = said.split("\n\n", 1)[0] ?? "";
    throw new BuildFault(
      "TOOL_MISSING",
      `${basename(path)} is Rust, and the cargo of this machine does not run:\n${why}`,
    );
  }
  throw new BuildFault(
    "TOOL_MISSING",
    `${basename(path)} is Rust, and there is no cargo on this machine's PATH; get it from https://rustup.rs, on Debian and Ubuntu: apt-get install cargo; elsewhere name the directory that has it as tools in shallop.yaml`,
  );
}

const askRustc = async (tools: Tools, target: string, what: string): Promise<string> =>
  (await tools.run("rustc", ["--print", what, "--target", target])).stdout.trim();

async function hasStandardLibrary(tools: Tools, target: string): Promise<boolean> {
  const library = await askRustc(tools, target, "target-libdir").catch(() => undefined);
  const files = library === undefined ? [] : await readdir(library).catch(() => []);
  return files.some((name) => name.startsWith("libstd-"));
}
