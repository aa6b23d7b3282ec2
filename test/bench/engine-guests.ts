import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { componentEmbed, componentNew, parse } from "@bytecodealliance/jco";
import { planFile, planText, sha256 } from "../../runtime/component/component-plan.ts";
import { Jails } from "../../runtime/component/jails.ts";
import { prepare, prepareLimits } from "../../runtime/component/prepare.ts";
import { inDirectory, layOut, readPlan } from "../../runtime/component/prepared-files.ts";
import { PreparedStore } from "../../runtime/component/prepared-store.ts";
import { Cells } from "../../runtime/sandbox/cell/cells.ts";
import { buildComponent, BuildFault } from "../../sdk/build/index.ts";
import { languageOf } from "../../sdk/build/language/language.ts";
import { Tools } from "../../sdk/build/language/tools.ts";
import { systemClock, systemRandom } from "../../sdk/internal/index.ts";

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

// In the order in which one needs the next.
const packages = ["io", "clocks", "random", "filesystem", "sockets", "cli", "http"];

/** The smallest that answers: what a C program of forty lines becomes. `pages`: of 64 KiB, all in use when it starts. */
export async function minimalComponent(pages = 2): Promise<Uint8Array> {
  const wat = await readFile(here("guests/hello.wat"), "utf8");
  const filled = `(func $fill (memory.fill (i32.const 65536) (i32.const 1) (i32.const ${(pages - 1) * 65_536}))) (start $fill)`;
  return ofText(
    pages === 2 ? wat : wat.replace('(memory (export "memory") 2)', `(memory (export "memory") ${pages}) ${filled}`),
  );
}

/** The same, but it waits a second first. */
export const waitingMinimalComponent = async (): Promise<Uint8Array> =>
  ofText(await readFile(here("guests/wait.wat"), "utf8"));

const imports = ["http/types", "clocks/monotonic-clock", "io/poll"]
  .map((name) => `import wasi:${name}@0.2.3;`)
  .join(" ");

/** Of what its world has, a component imports what its core module does. */
async function ofText(text: string): Promise<Uint8Array> {
  const library = dirname(createRequire(import.meta.url).resolve("@bytecodealliance/jco"));
  let wit = `package bench:guest;\nworld hello { ${imports} export wasi:http/incoming-handler@0.2.3; }\n`;
  for (const name of packages) {
    const file = join(library, "../lib/wit/builtin/0.2.12", `wasi-${name}`, "package.wit");
    const one = (await readFile(file, "utf8")).replaceAll("0.2.12", "0.2.3");
    wit += one.replace(/^package (wasi:\w+@0\.2\.3);/m, "package $1 {").concat("\n}\n");
  }
  return componentNew(await componentEmbed({ binary: await parse(text), witSource: wit, world: "hello" }), []);
}

/** `samples/c`, by this machine's clang; undefined where there is none that makes WebAssembly. */
export async function cComponent(directory: string): Promise<Uint8Array | undefined> {
  const path = here("../../samples/c/src/main.c");
  const source = { path, directory: here("../../samples/c"), args: [], libc: false, step: () => undefined };
  const places = { scratch: directory, cacheDirectory: join(directory, "build") };
  try {
    return await languageOf(path)?.component({ ...source, ...places, tools: new Tools(process.env) });
  } catch (error) {
    if (error instanceof BuildFault && error.code === "TOOL_MISSING") return undefined;
    throw error;
  }
}

/** `samples/hello` with an engine for JavaScript in it. */
export async function functionComponent(engine: "quickjs" | "starlingmonkey", directory: string): Promise<Uint8Array> {
  return (await buildComponent(here("../../samples/hello/src/index.ts"), engine, join(directory, "build"))).bytes;
}

const waitingScript = `export default { fetch: async (request) => {
  const waitMs = Number(new URL(request.url).searchParams.get("wait"));
  if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
  return new Response("hello, world\\n");
} };
`;

/** Answers after `?wait=` milliseconds; with QuickJS in it. */
export async function waitingComponent(directory: string): Promise<Uint8Array> {
  const path = join(directory, "waiting.js");
  await writeFile(path, waitingScript);
  return (await buildComponent(path, "quickjs", join(directory, "build"))).bytes;
}

/** Prepared as a node does it. @returns where */
export async function prepared(name: string, component: Uint8Array, directory: string): Promise<string> {
  const componentPath = join(directory, `${name}.wasm`);
  await writeFile(componentPath, component);
  const componentDigest = `sha256:${sha256(component)}`;
  const outDir = join(directory, `${name}-prepared`);
  const jails = new Jails({ directory, cells: () => Cells.open({ directory: join(directory, "cells") }) });
  const settings = {
    directory: join(directory, "store"),
    bytesMax: Infinity,
    clock: systemClock,
    random: systemRandom,
  };
  const request = { componentPath, componentDigest, store: await PreparedStore.open(settings), jails };
  const { pathOf } = await prepare(request, prepareLimits, systemClock, new AbortController().signal);
  layOut(pathOf, outDir);
  return outDir;
}

/** The same component `count` times, each with core modules that V8 has never seen: they differ in a section of no meaning. */
export async function unseenCopies(preparedDir: string, count: number): Promise<readonly string[]> {
  const plan = readPlan(inDirectory(preparedDir));
  const copies: string[] = [];
  for (let index = 0; index < count; index++) {
    const copy = `${preparedDir}-${index}`;
    await cp(preparedDir, copy, { recursive: true });
    const modules = [];
    for (const { name } of plan.modules) {
      // A custom section: id 0, four bytes, a name of two, and its content.
      const marked = Buffer.concat([await readFile(join(copy, name)), Buffer.from([0, 4, 2, 0x6e, 0x6f, index])]);
      // What was prepared may only be read.
      await rm(join(copy, name));
      await writeFile(join(copy, name), marked);
      modules.push({ name, bytes: marked.length, sha256: sha256(marked) });
    }
    await rm(join(copy, planFile));
    await writeFile(join(copy, planFile), planText({ ...plan, modules }));
    copies.push(copy);
  }
  return copies;
}
