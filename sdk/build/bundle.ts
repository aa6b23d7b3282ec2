import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { rolldown, type Plugin } from "rolldown";
import { BuildFault } from "./fault.ts";
import { buildNamespace } from "./engine/quickjs-base.ts";
import type { EngineName } from "./engine/engine.ts";

const guestDirectory = fileURLToPath(new URL("../guest/", import.meta.url));
const entryId = "\0shallop:entry";

/** Modules that are not bundled, because the component's world has them. */
const provided: readonly RegExp[] = [/^wasi:/, new RegExp(`^${buildNamespace}:`)];

/**
 * One script (for QuickJS) or ES module (for StarlingMonkey) of a function with its npm dependencies and what the engine needs around it.
 * @throws BuildFault SOURCE_INVALID with the place, when a file does not parse or an import cannot be found
 */
export async function bundleFunction(entryPath: string, engine: EngineName): Promise<string> {
  const plugins = [entryPlugin(entrySource(entryPath, engine)), asyncIteratorPlugin];
  try {
    await using bundle = await rolldown({
      input: entryId,
      cwd: dirname(entryPath),
      platform: engine === "quickjs" ? "neutral" : "browser",
      external: [...provided],
      plugins,
      logLevel: "silent",
      resolve: {
        conditionNames: ["shallop", "wasm", "workerd", "worker", "browser", "import", "module", "default"],
        mainFields: ["module", "main"],
        alias: { tr46: join(guestDirectory, "web/domain-to-ascii.ts") },
      },
      // QuickJS runs no promise jobs inside a synchronous export: async functions become generators over our promises.
      transform: engine === "quickjs" ? { target: "es2016" } : {},
    });
    const format = engine === "quickjs" ? "iife" : "esm";
    const globals = (name: string): string => `globalThis.wasi[${JSON.stringify(name)}]`;
    const { output } = await bundle.generate({ format, globals, codeSplitting: false, minify: true });
    // The bundler takes what it cannot find for something that will be there. What nobody uses is gone by now.
    const missing = output[0].imports.filter((name) => !provided.some((pattern) => pattern.test(name)));
    if (missing.length > 0) throw new BuildFault("SOURCE_INVALID", missingText(entryPath, missing));
    return output[0].code;
  } catch (error) {
    if (error instanceof BuildFault) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new BuildFault("SOURCE_INVALID", sentenceOf(entryPath, why), { cause: error });
  }
}

const missingText = (entryPath: string, names: readonly string[]): string =>
  `${entryPath} needs ${names.join(", ")}, which cannot be found; install it with npm, or use the native variant for what only Node has`;

/** The bundler draws for terminals; what it says may also go to a file. */
const sentenceOf = (entryPath: string, why: string): string =>
  `${entryPath} cannot be bundled: ${stripVTControlCharacters(why).trim()}`;

function entrySource(entryPath: string, engine: EngineName): string {
  const from = (path: string): string => JSON.stringify(path);
  // Of a namespace, because a missing default export is explained by `functionOf`, better than by the bundler.
  const fn = `import * as module from ${from(entryPath)};\nconst exported = module.default;\nimport { functionOf } from ${from(join(guestDirectory, "function.ts"))};`;
  if (engine === "starlingmonkey") {
    return `${fn}
const fn = functionOf(exported);
addEventListener("fetch", (event) => event.respondWith((async () => fn.fetch(event.request))()));`;
  }
  return `import ${from(join(guestDirectory, "web/install.ts"))};
${fn}
import { handleIncoming } from ${from(join(guestDirectory, "wasi/incoming.ts"))};
const fn = functionOf(exported);
globalThis.handleIncoming = (request, outparam) => handleIncoming(fn, request, outparam);`;
}

function entryPlugin(source: string): Plugin {
  return {
    name: "shallop-entry",
    resolveId: (id) => (id === entryId ? entryId : null),
    load: (id) => (id === entryId ? source : null),
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
