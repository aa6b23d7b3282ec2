import { stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { rolldown, type Plugin } from "rolldown";
import { assert } from "../internal/assert.ts";
import { errorCode } from "../internal/fault.ts";
import { transform } from "esbuild";
import { BuildFault } from "./fault.ts";
import type { Script } from "./source-places.ts";
import { buildNamespace } from "./engine/quickjs-base.ts";
import type { EngineName } from "./engine/engine.ts";

const guestDirectory = fileURLToPath(new URL("../guest/", import.meta.url));
/** Of the module that is bundled around a function: no file has this name. */
export const entryId = "\0shallop:entry";

/** Whether a source of a bundle is none of the user's. */
export const isOurs = (source: string): boolean =>
  source.startsWith(guestDirectory) || source.includes("shallop:entry");

/** Modules that are not bundled, because the component's world has them. */
const provided: readonly RegExp[] = [/^wasi:/, new RegExp(`^${buildNamespace}:`)];

/**
 * One script (for QuickJS) or ES module (for StarlingMonkey) of a function with its npm dependencies and what the engine needs around it.
 * @throws BuildFault SOURCE_INVALID with the place, when a file does not parse or an import cannot be found
 */
export async function bundleFunction(entryPath: string, engine: EngineName): Promise<Script> {
  await checkSource(entryPath);
  if (engine === "starlingmonkey") return bundle(entryPath, engine, starlingMonkeyEntry(entryPath));
  const script = await bundle(entryPath, engine, quickJsEntry(entryPath, []));
  // Only after the bundler has thrown away what nobody uses is it known whether somebody uses it.
  if (!/\bsubtle\b/.test(script.code)) return script;
  return bundle(entryPath, engine, quickJsEntry(entryPath, ["web/install-subtle.ts"]));
}

/** Said here, because the bundler would say it of a file that nobody has written. @throws BuildFault SOURCE_INVALID */
export async function checkSource(path: string): Promise<void> {
  const found = await stat(path).catch((error: unknown) => errorCode(error) ?? "unknown");
  if (typeof found !== "string" && found.isFile()) return;
  const why = typeof found === "string" ? found : "it is no file";
  throw new BuildFault("SOURCE_INVALID", `${path}, which shallop.yaml names as source, cannot be read (${why})`);
}

async function bundle(entryPath: string, engine: EngineName, source: string): Promise<Script> {
  const isQuickJs = engine === "quickjs";
  try {
    await using bundle = await rolldown({
      input: entryId,
      cwd: dirname(entryPath),
      platform: isQuickJs ? "neutral" : "browser",
      external: [...provided],
      plugins: [
        entryPlugin(source),
        adapterPlugin(entryPath),
        asyncIteratorPlugin,
        ...(isQuickJs ? [asyncPlugin] : []),
      ],
      logLevel: "silent",
      resolve: {
        conditionNames: ["shallop", "wasm", "workerd", "worker", "browser", "import", "module", "default"],
        mainFields: ["module", "main"],
        alias: { tr46: join(guestDirectory, "web/domain-to-ascii.ts") },
      },
    });
    const { output } = await bundle.generate({
      format: isQuickJs ? "iife" : "esm",
      globals: (name) => `globalThis.wasi[${JSON.stringify(name)}]`,
      codeSplitting: false,
      minify: true,
      // Not for the component: to say where in the sources something failed.
      sourcemap: "hidden",
      sourcemapPathTransform: (source, mapPath) => resolve(dirname(mapPath), source),
    });
    // The bundler takes what it cannot find for something that will be there. What nobody uses is gone by now.
    const missing = output[0].imports.filter((name) => !provided.some((pattern) => pattern.test(name)));
    if (missing.length > 0) throw new BuildFault("SOURCE_INVALID", missingText(entryPath, missing));
    const { code, map } = output[0];
    assert(map !== null, "a source map was asked for");
    return { code, map: { ...map, sourceRoot: "" } };
  } catch (error) {
    throw error instanceof BuildFault ? error : bundleFault(entryPath, error);
  }
}

const missingText = (entryPath: string, names: readonly string[]): string =>
  `${entryPath} needs ${names.join(", ")}, which cannot be found; install it with npm, or use the native variant for what only Node has`;

/** The bundler draws for terminals; what it says may also go to a file. No cause: it says the same again, in colours. */
export function bundleFault(entryPath: string, error: unknown): BuildFault {
  const why = stripVTControlCharacters(error instanceof Error ? error.message : String(error)).trim();
  return new BuildFault("SOURCE_INVALID", `${entryPath} cannot be bundled: ${why}`);
}

const quoted = (path: string): string => JSON.stringify(path);

/** Of a namespace, because a missing default export is explained by `functionOf`, better than by the bundler. */
const importOf = (entryPath: string): string => `import * as module from ${quoted(entryPath)};
const exported = module.default;
import { functionOf } from ${quoted(join(guestDirectory, "function.ts"))};`;

const starlingMonkeyEntry = (
  entryPath: string,
): string => `import { answerable } from ${quoted(join(guestDirectory, "web/mend-starlingmonkey.ts"))};
import { RequestSockets } from ${quoted(join(guestDirectory, "service-sockets.ts"))};
${importOf(entryPath)}
const fn = functionOf(exported);
async function answer(request) {
  const sockets = new RequestSockets(request);
  return answerable(sockets.answered(await fn.fetch(request, sockets)));
}
addEventListener("fetch", (event) => event.respondWith(answer(event.request)));`;

/** @param extensions modules of the guest that put more at `globalThis`, before the function's top level runs */
function quickJsEntry(entryPath: string, extensions: readonly string[]): string {
  const installed = ["web/install.ts", ...extensions];
  return `${installed.map((name) => `import ${quoted(join(guestDirectory, name))};`).join("\n")}
${importOf(entryPath)}
import { handleIncoming } from ${quoted(join(guestDirectory, "wasi/incoming.ts"))};
const fn = functionOf(exported);
globalThis.handleIncoming = (request, outparam) => handleIncoming(fn, request, outparam);`;
}

/** Gives the bundler `source` as the module `entryId`. */
export function entryPlugin(source: string): Plugin {
  return {
    name: "shallop-entry",
    resolveId: (id) => (id === entryId ? entryId : null),
    load: (id) => (id === entryId ? source : null),
  };
}

/** `@shallop/sdk/guest/hono` need not be installed: it is part of what builds. What it needs of Hono is the function's own. */
export function adapterPlugin(entryPath: string): Plugin {
  const adapter = join(guestDirectory, "hono.ts");
  return {
    name: "shallop-adapter",
    resolveId(id, importer) {
      if (id === "@shallop/sdk/guest/hono") return adapter;
      return importer === adapter && id.startsWith("hono/") ? this.resolve(id, entryPath) : null;
    },
  };
}

/**
 * whatwg-url takes the prototype of async iterators from an async generator, which is none any more once async
 * functions are compiled away. Nothing of it is used by URL itself.
 */
const asyncIteratorPlugin: Plugin = {
  name: "shallop-async-iterator",
  transform: (code, id) =>
    id.includes("/whatwg-url/") ? code.replace("Object.getPrototypeOf(async function* () {}).prototype", "{}") : null,
};

/**
 * QuickJS runs no promise jobs inside a synchronous export: async functions become generators over our promises. Nothing
 * else is rewritten, since what an interpreter has built in is quicker than what stands in for it; the bundler's own transformer
 * cannot take one part of the language alone.
 */
const asyncPlugin: Plugin = {
  name: "shallop-async",
  renderChunk: async (code) => {
    const supported = { "async-await": false, "async-generator": false, "for-await": false };
    const lowered = await transform(code, { target: "es2024", supported, sourcemap: "external" });
    return { code: lowered.code, map: lowered.map };
  },
};
