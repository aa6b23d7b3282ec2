import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { moduleComponent } from "../../runtime/component/testing/module-component.ts";

/** Guests of WASI 0.3 in C, and the worlds that they are of. */
const worlds = { service: "wasi:http/service@0.3.0", command: "wasi:cli/command@0.3.0" } as const;

const compiler = "clang";

/** Compiles one of `../conformance/guests`. @returns where the component is */
export async function compileGuest(name: keyof typeof worlds, directory: string): Promise<string> {
  const scratch = await mkdtemp(join(directory, "guest-"));
  const module = join(scratch, "module.wasm");
  const source = fileURLToPath(new URL(`../conformance/guests/${name}.c`, import.meta.url));
  const { status, stderr } = spawnSync(compiler, [...options, source, "-o", module], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  const component = join(scratch, `${name}.wasm`);
  await writeFile(component, await moduleComponent(await readFile(module), worlds[name]));
  return component;
}

const options = [
  ...["-Wall", "-Wextra", "-Wno-unused-function", "-Xclang", "-O2"],
  ...["--target=wasm32", "-ffreestanding", "-nostdlib", "-mbulk-memory", "-fvisibility=hidden"],
  ...["-Wl,--no-entry", "-Wl,--stack-first", "-Wl,-z,stack-size=65536", "-Wl,--strip-debug"],
];
