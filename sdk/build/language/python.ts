import { copyFile, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { witText, worldName } from "../engine/wit.ts";
import { BuildFault } from "../fault.ts";
import type { Language, Source } from "./language.ts";
import { sourceFault, ToolFailure } from "./tools.ts";

/** What stands between WASI and an application. */
const guest = fileURLToPath(new URL("../../guest/python/shallop_wsgi.py", import.meta.url));

const compiler = { name: "componentize-py", version: "0.25.1" };

/** What the compiler starts with; a name that no module of a user has. */
const entryModule = "shallop_entry";

/** Python by componentize-py: CPython, and the application imported into it when it is built. */
export const python: Language = { name: "Python", component };

async function component(source: Source): Promise<Uint8Array> {
  const { tools, path, scratch } = source;
  const interpreter = await tools.find(["python3", "python"], async (name) =>
    (await tools.run(name, ["-c", "import sys, pip; print(sys.version_info >= (3, 10))"])).stdout.startsWith("True"),
  );
  if (interpreter === undefined) throw missing(path);
  const compilerDirectory = await installed(source, interpreter);
  const packages = await requirements(source, interpreter);
  await writeFile(join(scratch, `${entryModule}.py`), await entry(path));
  // A copy: Python leaves its own files beside what it imports.
  await copyFile(guest, join(scratch, basename(guest)));
  await writeFile(join(scratch, "world.wit"), await witText());
  const output = join(scratch, "function.wasm");
  const modules = [dirname(path), scratch, packages].flatMap((directory) => ["-p", directory]);
  const world = ["-d", join(scratch, "world.wit"), "-w", worldName];
  try {
    await tools.run(
      interpreter,
      [
        ...["-c", "from componentize_py import script; script()"],
        ...[...world, "componentize", entryModule, ...modules, ...source.args, "-o", output],
      ],
      // Only what is named is taken along, nothing of what is installed on this machine.
      { directory: source.directory, environment: { PYTHONPATH: compilerDirectory, VIRTUAL_ENV: scratch } },
    );
  } catch (error) {
    throw sourceFault(path, error);
  }
  return readFile(output);
}

async function entry(path: string): Promise<string> {
  const module = basename(path, extname(path));
  if (!/^[A-Za-z_]\w*$/.test(module))
    throw new BuildFault("SOURCE_INVALID", `${path} cannot be imported: ${module} is no name of a module`);
  return `from shallop_wsgi import handler\nfrom ${module} import app\n\nIncomingHandler = handler(app)\n`;
}

/** The compiler's directory: installed once for a user, and used by all builds. @throws BuildFault TOOL_MISSING */
async function installed(source: Source, interpreter: string): Promise<string> {
  const { name, version } = compiler;
  const directory = join(source.cacheDirectory, `${name}-${version}`);
  if (await exists(directory)) return directory;
  source.step(`installing ${name} ${version}, once`);
  await mkdir(source.cacheDirectory, { recursive: true });
  const fresh = await mkdtemp(`${directory}-`);
  try {
    await pip(source, interpreter, ["--only-binary", ":all:", `${name}==${version}`, "--target", fresh]);
    // Another build may have been faster: its is as good.
    await rename(fresh, directory).catch(async (error: unknown) => {
      if (!(await exists(directory))) throw error;
    });
    return directory;
  } catch (error) {
    if (!(error instanceof ToolFailure)) throw error;
    const reason = error.said.split("\n").at(-1) ?? "";
    const message = `${basename(source.path)} is Python, and its compiler ${name} ${version} cannot be installed: ${reason}; it comes from PyPI, so this needs the network, once`;
    throw new BuildFault("TOOL_MISSING", message, { cause: error });
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

/** Where the packages are that the application asks for; empty when it asks for none. @throws BuildFault SOURCE_INVALID */
async function requirements(source: Source, interpreter: string): Promise<string> {
  const directory = join(source.scratch, "site-packages");
  await mkdir(directory);
  const list = join(dirname(source.path), "requirements.txt");
  if (!(await exists(list))) return directory;
  source.step("installing what requirements.txt names");
  try {
    await pip(source, interpreter, ["--requirement", list, "--target", directory]);
  } catch (error) {
    if (!(error instanceof ToolFailure)) throw error;
    throw new BuildFault("SOURCE_INVALID", `${list} cannot be installed:\n${error.said}`, { cause: error });
  }
  return directory;
}

async function pip(source: Source, interpreter: string, args: readonly string[]): Promise<void> {
  const quiet = ["--quiet", "--no-input", "--disable-pip-version-check", "--no-warn-script-location"];
  await source.tools.run(interpreter, ["-m", "pip", "install", ...quiet, ...args]);
}

const exists = async (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

const missing = (path: string): BuildFault =>
  new BuildFault(
    "TOOL_MISSING",
    `${basename(path)} is Python, and there is no Python 3.10 or newer with pip on this machine's PATH; on Debian and Ubuntu: apt-get install python3-pip; on macOS: brew install python; elsewhere name the directory that has it as tools in shallop.yaml`,
  );
