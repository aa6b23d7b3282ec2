import { LRUCache } from "lru-cache";
import { type ModuleCaps, readCapped } from "../component/core-module/read-capped.ts";
import { type PathOf, readPlan } from "../component/prepared-files.ts";

export type CompiledModules = ReadonlyMap<string, WebAssembly.Module>;

interface CachedComponent {
  readonly modules: CompiledModules;
  /** The same, by digest and caps. */
  readonly byContent: CompiledModules;
  readonly bytes: number;
}

// Core modules of parked pods stay compiled: about ten of the largest (StarlingMonkey, 13 MB), or two hundred of
// QuickJS's size. Machine code comes on top as functions are used.
const cachedBytesMax = 128 * 1024 * 1024;

// One that is forgotten is waited for once more.
const provenMax = 1_000;

// V8's code caches of glue: under 1 MB each.
const glueCacheBytesMax = 32 * 1024 * 1024;

/**
 * Compiled core modules of this process, by component and caps. V8 compiles lazily and shares machine code between
 * threads, so a second pod of a component starts warm; and so does the first one of another component in which the same engine is: functions
 * of one toolchain differ in what they hold as data.
 */
export class ArtifactCache {
  readonly #cache = new LRUCache<string, CachedComponent>({
    maxSize: cachedBytesMax,
    sizeCalculation: ({ bytes }) => Math.max(1, bytes),
  });
  readonly #glueCaches = new LRUCache<string, Uint8Array>({
    maxSize: glueCacheBytesMax,
    sizeCalculation: (cache) => Math.max(1, cache.length),
  });

  readonly #proven = new LRUCache<string, true>({ max: provenMax });

  /** Whether an instance of this component has come up in this process; `started` names all that it was started with. */
  isProven(started: string): boolean {
    return this.#proven.has(started);
  }

  prove(started: string): void {
    this.#proven.set(started, true);
  }

  /** What a thread of this process left for the next: `undefined` until one has served a request. */
  glueCache(componentDigest: string): Uint8Array | undefined {
    return this.#glueCaches.get(componentDigest);
  }

  keepGlueCache(componentDigest: string, cache: Uint8Array): void {
    this.#glueCaches.set(componentDigest, cache);
  }

  /** @throws CapError when the component cannot start within the caps */
  modules(componentDigest: string, pathOf: PathOf, caps: ModuleCaps): CompiledModules {
    const key = `${componentDigest} ${caps.memoryBytes} ${caps.tableEntriesMax}`;
    const cached = this.#cache.get(key);
    if (cached !== undefined) return cached.modules;
    const loaded = compile(pathOf, caps, (content) => this.#compiled(content));
    this.#cache.set(key, loaded);
    return loaded.modules;
  }

  /** What another component has of the same content. A few components, of a few modules each, are looked through. */
  #compiled(content: string): WebAssembly.Module | undefined {
    for (const { byContent } of this.#cache.values()) {
      const module = byContent.get(content);
      if (module !== undefined) return module;
    }
    return undefined;
  }
}

function compile(
  pathOf: PathOf,
  caps: ModuleCaps,
  compiled: (content: string) => WebAssembly.Module | undefined,
): CachedComponent {
  // Synchronously: a request waits for it, and files that were prepared a moment ago are in memory. By way of libuv's threads
  // the same takes four times as long (6 ms instead of 1.5 ms for 2.7 MB).
  const plan = readPlan(pathOf);
  const modules = new Map<string, WebAssembly.Module>();
  const byContent = new Map<string, WebAssembly.Module>();
  for (const { name, sha256 } of plan.modules) {
    const content = `${sha256} ${caps.memoryBytes} ${caps.tableEntriesMax}`;
    // With lazy compilation this is a scan, and cheaper than a turn through the compiler's threads.
    const module = compiled(content) ?? new WebAssembly.Module(readCapped(pathOf(name), caps));
    modules.set(name, module);
    byContent.set(content, module);
  }
  return { modules, byContent, bytes: plan.modules.reduce((sum, { bytes }) => sum + bytes, 0) };
}
