import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { renameNamespace } from "./component-binary.ts";
import { reproducible } from "./snapshot.ts";
import { importNames, worldName, writeWit } from "./wit.ts";

/**
 * The componentizer runs a module's top level in an engine that provides WASI's command line but not its HTTP; resources
 * that both share do not fit together there. Under a namespace that it does not know at all, it stubs everything alike.
 * The component gets the true name afterwards.
 */
export const buildNamespace = "wazi";

/**
 * The engine's component without a function in it: it offers WASI as `globalThis.wasi`, evaluates a script, and passes
 * requests on to what the script has put at `globalThis.handleIncoming`.
 */
const baseSource = (): string => {
  const names = importNames(buildNamespace);
  return `${names.map((name, index) => `import * as wasi${index} from "${name}";`).join("\n")}
globalThis.wasi = { ${names.map((name, index) => `"${name}": wasi${index}`).join(", ")} };
export function evaluate(source) {
  try {
    (0, eval)(source);
    __cqjs.runGc();
    zeroFreeMemory();
  } catch (error) {
    throw error instanceof Error ? error.name + ": " + error.message + "\\n" + error.stack : String(error);
  }
}
// What the parser has freed is dead weight in the picture of the memory: new buffers take its place, zeroed, and go.
function zeroFreeMemory() {
  const held = [];
  for (const [bytes, count] of [[262144, 4], [32768, 16], [4096, 64], [512, 512], [64, 1024]]) {
    for (let index = 0; index < count; index++) held.push(new ArrayBuffer(bytes));
  }
}
export const incomingHandler = { handle: (request, outparam) => globalThis.handleIncoming(request, outparam) };
`;
};

/** Two builds are compared, word by word, to find what is not the same in each. */
const buildCount = 2;

/** Counted up when `canonical-memory.ts` gives another memory than before: a base that was kept is then made anew. */
const canonicalForm = 3;

/** The base component. Made once for a version of the engine, the same on every machine, and kept in `cacheDirectory`. */
export async function quickJsBase(cacheDirectory: string): Promise<Uint8Array> {
  const source = baseSource();
  const { default: engine } = await import("componentize-qjs/package.json", { with: { type: "json" } });
  const key = createHash("sha256").update(`${engine.version}\n${canonicalForm}\n${source}`).digest("hex");
  const path = join(cacheDirectory, `quickjs-${key.slice(0, 16)}.wasm`);
  try {
    return await readFile(path);
  } catch {
    const base = await build(source);
    await mkdir(dirname(path), { recursive: true });
    const temporary = `${path}.${process.pid}`;
    await writeFile(temporary, base);
    await rename(temporary, path);
    return base;
  }
}

async function build(source: string): Promise<Uint8Array> {
  // The addon is large and needed once.
  const { componentize } = await import("componentize-qjs");
  const witPath = await mkdtemp(join(tmpdir(), "shallop-wit-"));
  try {
    await writeWit(witPath, buildNamespace);
    const options = { witPath, jsSource: source, world: worldName, sync: true, optSize: false };
    const builds = await Promise.all(Array.from({ length: buildCount }, () => componentize(options)));
    return renameNamespace(reproducible(builds.map(({ component }) => component)), buildNamespace, "wasi");
  } finally {
    await rm(witPath, { recursive: true, force: true });
  }
}
