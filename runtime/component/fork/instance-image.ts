import type { ModuleState } from "../core-module/expose-state.ts";
import { type AsideMemory, captureMemory, type MemoryImage } from "./memory-image.ts";

export interface CapturedInstance {
  readonly exports: Readonly<Record<string, unknown>>;
  /** Of the module that it is an instance of. */
  readonly state: ModuleState;
}

/** What the instances of a component were at one moment, and the way back to it. */
export interface InstanceImage {
  /** Of all memories, as they were. */
  readonly byteLength: number;
  /** Puts all of it back. False when something cannot be: the instances must then be thrown away, all of them. */
  restore(): boolean;
  /** Frees what the image holds; `restore` answers false from now on. */
  dispose(): void;
  /**
   * Of instances that have come the same way to the same state: the same modules, started with nothing but what answers everybody the
   * same. Their memories become what they are already without being looked at, which takes a tenth of the time of `captureInstances`.
   * Undefined when they are in another state after all, as far as globals, tables and sizes tell, or it cannot be done: they are as they were.
   */
  another(instances: readonly CapturedInstance[]): InstanceImage | undefined;
  /**
   * Takes aside what the instances are now: they are then what they were when they were captured, but for the size of a memory that
   * has grown since. Undefined where that cannot be: they are as they were then.
   */
  setAside(): AsideInstances | undefined;
  /** As `restore`, but a memory that has grown stays as large: for what is put back next. */
  clear(): boolean;
  /** A memory has another size than it had. */
  readonly hasGrown: boolean;
}

/** What instances were, while they are something else. */
export interface AsideInstances {
  /** What it costs, of memory. */
  readonly byteLength: number;
  /**
   * Puts it back, once. `isWritten`: in place of whatever the instances are now, which else are as they were captured. False when it
   * cannot be: they are then of no use.
   */
  putBack(isWritten: boolean): boolean;
}

/**
 * Captures instances that nobody runs in: no call of theirs is on a stack or suspended.
 * @param capture how a memory is captured; from an `ImageSource` where many instances hold the same
 * @throws TypeError when an instance's state cannot be put back (`resettable`) or its exports are not as `state` says
 */
export function captureInstances(
  instances: readonly CapturedInstance[],
  capture: (memory: WebAssembly.Memory) => MemoryImage = captureMemory,
): InstanceImage {
  for (const { state } of instances) {
    if (!state.resettable) throw new TypeError(`an instance cannot be put back: ${state.reason ?? "unknown"}`);
  }
  const { globals, tables, memories } = partsOf(instances);
  return new CapturedState(globals, tables, captureAll(memories, capture));
}

interface Parts {
  readonly globals: readonly WebAssembly.Global[];
  readonly tables: readonly WebAssembly.Table[];
  readonly memories: readonly WebAssembly.Memory[];
}

function partsOf(instances: readonly CapturedInstance[]): Parts {
  const all = <Kind>(names: (state: ModuleState) => readonly string[], kind: abstract new (...values: never) => Kind) =>
    instances.flatMap(({ exports, state }) => names(state).map((name) => exportOf(exports, name, kind)));
  return {
    globals: all((state) => state.globals, WebAssembly.Global),
    tables: all((state) => state.tables, WebAssembly.Table),
    memories: all((state) => state.memories, WebAssembly.Memory),
  };
}

function exportOf<Kind>(
  exports: Readonly<Record<string, unknown>>,
  name: string,
  kind: abstract new (...values: never) => Kind,
): Kind {
  const value = exports[name];
  if (value instanceof kind) return value;
  throw new TypeError(`the instance has no export ${name} of the kind ${kind.name}`);
}

/** All images or none: what was captured before one failed is freed. */
function captureAll(
  memories: readonly WebAssembly.Memory[],
  capture: (memory: WebAssembly.Memory) => MemoryImage,
): readonly MemoryImage[] {
  const images: MemoryImage[] = [];
  try {
    for (const memory of memories) images.push(capture(memory));
  } catch (error) {
    for (const image of images) image.dispose();
    throw error;
  }
  return images;
}

/** Flat arrays, as it runs before every request. */
class CapturedState implements InstanceImage {
  readonly byteLength: number;
  readonly #globals: readonly WebAssembly.Global[];
  readonly #values: readonly unknown[];
  readonly #tables: readonly WebAssembly.Table[];
  readonly #lengths: readonly number[];
  readonly #memories: readonly MemoryImage[];
  #isDisposed = false;

  constructor(
    globals: readonly WebAssembly.Global[],
    tables: readonly WebAssembly.Table[],
    memories: readonly MemoryImage[],
  ) {
    this.#globals = globals;
    this.#values = globals.map(({ value }) => value);
    this.#tables = tables;
    this.#lengths = tables.map(({ length }) => length);
    this.#memories = memories;
    this.byteLength = memories.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  restore(): boolean {
    if (this.#isDisposed) return false;
    const tables = this.#tables;
    for (let index = 0; index < tables.length; index++) {
      if (tables[index]?.length !== this.#lengths[index]) return false;
    }
    const memories = this.#memories;
    for (let index = 0; index < memories.length; index++) if (memories[index]?.restore() !== true) return false;
    this.#setGlobals(this.#values);
    return true;
  }

  #setGlobals(values: readonly unknown[]): void {
    const globals = this.#globals;
    for (let index = 0; index < globals.length; index++) {
      const global = globals[index];
      const value = values[index];
      // Object.is tells 0 from -0. One NaN is not told from another: their bits are lost in JavaScript.
      if (global !== undefined && !Object.is(global.value, value)) global.value = value;
    }
  }

  get hasGrown(): boolean {
    return this.#memories.some((memory) => memory.hasGrown);
  }

  setAside(): AsideInstances | undefined {
    if (this.#isDisposed) return undefined;
    const memories: AsideMemory[] = [];
    for (const image of this.#memories) {
      const aside = image.setAside();
      if (aside === undefined) {
        for (const each of memories)
          if (!each.putBack(false)) throw new Error("a guest's memory could not be put back");
        return undefined;
      }
      memories.push(aside);
    }
    const values = this.#globals.map(({ value }): unknown => value);
    this.#setGlobals(this.#values);
    return {
      byteLength: memories.reduce((sum, { byteLength }) => sum + byteLength, 0),
      putBack: (isWritten) => {
        this.#setGlobals(values);
        return memories.every((memory) => memory.putBack(isWritten));
      },
    };
  }

  clear(): boolean {
    if (this.#isDisposed) return false;
    this.#setGlobals(this.#values);
    return this.#memories.every((memory) => memory.clear());
  }

  another(instances: readonly CapturedInstance[]): InstanceImage | undefined {
    const { globals, tables, memories } = partsOf(instances);
    if (!this.#isLike(globals, tables) || memories.length !== this.#memories.length) return undefined;
    const images: MemoryImage[] = [];
    for (const [index, memory] of memories.entries()) {
      const image = this.#memories[index]?.another(memory);
      if (image === undefined) {
        for (const made of images) made.dispose();
        return undefined;
      }
      images.push(image);
    }
    return new CapturedState(globals, tables, images);
  }

  /** One NaN is not told from another, so that none is like any. */
  #isLike(globals: readonly WebAssembly.Global[], tables: readonly WebAssembly.Table[]): boolean {
    return (
      globals.length === this.#values.length &&
      tables.length === this.#lengths.length &&
      globals.every(({ value }, index) => Object.is(value, this.#values[index]) && !Number.isNaN(value)) &&
      tables.every(({ length }, index) => length === this.#lengths[index])
    );
  }

  dispose(): void {
    this.#isDisposed = true;
    for (const image of this.#memories) image.dispose();
  }
}
