import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { WASI } from "node:wasi";
import { Worker } from "node:worker_threads";
import { withExportedGlobals, withGlobalsOf } from "./globals.ts";
import { withoutExports, withWholeMemory } from "./snapshot.ts";

// A program by itself, called as `wizer` is by the componentizer of StarlingMonkey: initialises a core module and writes
// it with the state that it then has. Unlike wizer it gives the module no time, no chance and no path of this machine, so
// that one source gives one module.

const { values, positionals } = parseArgs({
  allowPositionals: true,
  strict: false,
  options: {
    "init-func": { type: "string" },
    output: { type: "string", short: "o" },
    dir: { type: "string" },
    mapdir: { type: "string" },
    "top-level-ms-max": { type: "string" },
  },
});
const initFunction = String(values["init-func"]);
const output = String(values.output).replace(/^=/, "");
const sources = String(values.dir);
const topLevelMsMax = Number(values["top-level-ms-max"]);
const workspace = String(values.mapdir).replace(/^\/::/, "");

/** Where the guest sees the two directories. */
const guestSources = "/initializer";
const guestWorkspace = "/function";

/** Midnight of 2026-01-01, as for QuickJS. */
const startNs = 1_767_225_600_000_000_000n;

// The main thread may never come back from a function's top level.
const watchdog = `require("node:fs").writeSync(2, "it did not end within ${topLevelMsMax / 1000} seconds\\n"); process.kill(process.pid, "SIGKILL");`;
new Worker(`setTimeout(() => { ${watchdog} }, ${topLevelMsMax});`, { eval: true }).unref();

const module = readFileSync(positionals[0] ?? "");
const instance = instantiate(withExportedGlobals(module));
const { memory } = instance.exports;
if (!(memory instanceof WebAssembly.Memory)) throw new Error("the engine has no memory");
const state = withGlobalsOf(module, instance.exports);
const whole = withWholeMemory(state, new Uint8Array(memory.buffer));
writeFileSync(output, withoutExports(whole, [initFunction, "_initialize"]));

function instantiate(binary: Uint8Array): WebAssembly.Instance {
  const stdin = openSync(writeArguments(), "r");
  const wasi = new WASI({
    version: "preview1",
    env: engineEnvironment(),
    preopens: { "/": workspace, [guestSources]: sources, [guestWorkspace]: workspace },
    stdin,
    returnOnExit: false,
  });
  const compiled = new WebAssembly.Module(Uint8Array.from(binary));
  const made: WebAssembly.Instance = new WebAssembly.Instance(
    compiled,
    importsOf(compiled, wasi, (): unknown => made.exports["memory"]),
  );
  wasi.initialize(made);
  const initialise = made.exports[initFunction];
  if (typeof initialise !== "function") throw new Error(`the engine has no function ${initFunction}`);
  initialise();
  closeSync(stdin);
  return made;
}

/** The engine reads its arguments from its standard input. The directories in them are named anew for each build. */
function writeArguments(): string {
  const text = readFileSync(0, "utf8").replaceAll(sources, guestSources).replaceAll(workspace, guestWorkspace);
  const path = join(dirname(output), `${basename(output)}.arguments`);
  writeFileSync(path, text);
  return path;
}

/** What the componentizer tells the engine, without what the shell adds. */
function engineEnvironment(): Record<string, string> {
  // oxlint-disable-next-line no-restricted-properties -- a program by itself
  const told = Object.entries(process.env).filter(([name]) => /^(EXPORT|IMPORT|FEATURE_|SOURCE_NAME|DEBUG)/.test(name));
  return Object.fromEntries(told.map(([name, value]) => [name, value ?? ""]));
}

function importsOf(
  compiled: WebAssembly.Module,
  wasi: WASI,
  memory: () => unknown,
): Record<string, Record<string, unknown>> {
  const view = (): DataView => {
    const current = memory();
    if (!(current instanceof WebAssembly.Memory)) throw new Error("the engine has no memory");
    return new DataView(current.buffer);
  };
  const set64 = (at: number, value: bigint): number => {
    view().setBigUint64(at, value, true);
    return 0;
  };
  // Each look at the clock is a microsecond later, each byte of chance another: the engine waits for the one to move, and
  // draws until the other is not all zeros.
  let nowNs = startNs;
  let byte = 0;
  const preview1: Record<string, unknown> = {
    ...wasi.wasiImport,
    clock_time_get: (_clock: number, _precision: bigint, at: number) => set64(at, (nowNs += 1000n)),
    clock_res_get: (_clock: number, at: number) => set64(at, 1000n),
    random_get: (at: number, byteCount: number) => {
      const target = new Uint8Array(view().buffer, at, byteCount);
      for (let index = 0; index < byteCount; index++) target[index] = byte = (byte * 73 + 41) % 256;
      return 0;
    },
  };
  const imports: Record<string, Record<string, unknown>> = { wasi_snapshot_preview1: preview1 };
  for (const wanted of WebAssembly.Module.imports(compiled)) {
    const space = (imports[wanted.module] ??= {});
    space[wanted.name] ??= () => {
      throw new Error(`a function may not call ${wanted.module}#${wanted.name} while it is built`);
    };
  }
  return imports;
}
