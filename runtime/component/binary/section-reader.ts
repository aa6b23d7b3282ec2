import { BinaryError, type BinaryReader } from "../leb128.ts";
import { readExternName } from "./extern-name.ts";

/**
 * Entries of all lists of a binary together: definitions, fields, names. Each becomes some small objects, of four hundred bytes
 * at most: a hostile binary costs a hundred megabytes. Large real components have some ten thousand.
 */
const entriesMax = 250_000;
/** Components and types in each other. Tools nest two or three deep; each level is a few frames of the stack. */
const depthMax = 32;
/** Names longer than that are refused by the tools that make components (wasm-tools, MAX_WASM_STRING_SIZE). */
const nameLengthMax = 100_000;

/** What the readers of all parts of a binary have used up together. */
export class ParseBudget {
  #entriesLeft = entriesMax;

  takeEntries(count: number, offset: number): void {
    this.#entriesLeft -= count;
    if (this.#entriesLeft < 0) {
      throw new BinaryError(`the component has more than ${entriesMax} definitions and entries of lists`, offset);
    }
  }
}

/** Reads a part of a component: the rules that all lists and names of the format share. */
export class SectionReader {
  readonly bytes: BinaryReader;
  readonly depth: number;
  readonly #budget: ParseBudget;

  constructor(bytes: BinaryReader, budget: ParseBudget, depth = 0) {
    this.bytes = bytes;
    this.depth = depth;
    this.#budget = budget;
  }

  get offset(): number {
    return this.bytes.offset;
  }

  byte(): number {
    return this.bytes.byte();
  }

  u32(): number {
    return this.bytes.u32();
  }

  name(): string {
    return checkedLength(this.bytes.name(), this.offset);
  }

  /** The name of an import or export, with its attributes. */
  externName(): string {
    return checkedLength(readExternName(this.bytes), this.offset);
  }

  /** Counts one thing that is no entry of a list. */
  countOne(): void {
    this.#budget.takeEntries(1, this.offset);
  }

  vector<T>(readOne: (index: number) => T): T[] {
    const at = this.offset;
    const count = this.u32();
    if (count > this.bytes.left) throw new BinaryError("a list has more entries than the binary has bytes", at);
    this.#budget.takeEntries(count, at);
    const entries: T[] = [];
    for (let index = 0; index < count; index++) entries.push(readOne(index));
    return entries;
  }

  optional<T>(readOne: () => T): T | undefined {
    return this.flag("an optional part") ? readOne() : undefined;
  }

  flag(what: string): boolean {
    const at = this.offset;
    const byte = this.byte();
    if (byte > 1) throw new BinaryError(`${what} is neither there nor absent`, at);
    return byte === 1;
  }

  /** The next `byteCount` bytes, at the same depth. */
  part(byteCount: number): SectionReader {
    return new SectionReader(this.bytes.part(byteCount), this.#budget, this.depth);
  }

  /** The same bytes, one level down: what is read through it counts as nested. */
  nested(): SectionReader {
    if (this.depth === depthMax) {
      throw new BinaryError(`components and types are nested more than ${depthMax} deep`, this.offset);
    }
    return new SectionReader(this.bytes, this.#budget, this.depth + 1);
  }
}

function checkedLength(name: string, offset: number): string {
  if (name.length > nameLengthMax) throw new BinaryError(`a name is longer than ${nameLengthMax} characters`, offset);
  return name;
}
