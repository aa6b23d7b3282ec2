import { giveMemories, keepMemories, takeMemories } from "../instance/memory-budget.ts";
import { pageCalls } from "./page-calls.ts";

// A memory of WebAssembly itself, so that V8 frees it with whatever waits there, however its thread ends. Of this size one takes the
// pages of 200 forks of QuickJS, and a machine with little memory gives it.
const lotPages = 16_384;
const wasmPageBytes = 65_536;
const lotBytes = lotPages * wasmPageBytes;
// As many are kept for the next crowd; more than that, and what the kernel keeps of them, is given back when nothing waits there.
const keptMax = 16;

interface Lot {
  readonly memory: WebAssembly.Memory;
  readonly address: bigint;
  usedBytes: number;
}

/** Address space of one thread beside the memories of its guests: what a fork has written waits there while another has its memory. */
export class SideRoom {
  readonly #lots: Lot[] = [];
  /** Places that are free, by their size. */
  readonly #free = new Map<number, bigint[]>();
  #places = 0;
  #taken = 0;
  #isFull = false;

  /** There was no place when one was last asked for, and none has been given back since. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** A place for so many bytes (whole pages); undefined when the process has none left. */
  take(byteLength: number): bigint | undefined {
    const place = this.#free.get(byteLength)?.pop() ?? this.#newPlace(byteLength);
    if (place === undefined) this.#isFull = true;
    else this.#taken++;
    return place;
  }

  /** What is there is dropped. */
  give(place: bigint, byteLength: number): void {
    pageCalls()?.discard(place, byteLength);
    this.giveEmpty(place, byteLength);
  }

  /** What was there has been moved away. */
  giveEmpty(place: bigint, byteLength: number): void {
    this.#isFull = false;
    const free = this.#free.get(byteLength);
    if (free === undefined) this.#free.set(byteLength, [place]);
    else free.push(place);
    if (--this.#taken === 0 && this.#places > keptMax) this.#clear();
  }

  /** Nobody needs room for now. What waits there stays. */
  dispose(): void {
    if (this.#taken > 0) return;
    if (this.#places > 0) this.#clear();
    this.#lots.length = 0;
  }

  #newPlace(byteLength: number): bigint | undefined {
    if (byteLength > lotBytes) return undefined;
    try {
      // Each is one or two mappings of the process: as many as a memory has.
      takeMemories(1);
    } catch {
      return undefined;
    }
    const lot = this.#lots.findLast(({ usedBytes }) => usedBytes + byteLength <= lotBytes) ?? this.#newLot();
    if (lot === undefined) {
      giveMemories(1);
      return undefined;
    }
    const place = lot.address + BigInt(lot.usedBytes);
    lot.usedBytes += byteLength;
    this.#places++;
    return place;
  }

  #newLot(): Lot | undefined {
    const calls = pageCalls();
    if (calls === undefined) return undefined;
    try {
      takeMemories(1);
    } catch {
      return undefined;
    }
    try {
      const memory = new WebAssembly.Memory({ initial: lotPages, maximum: lotPages });
      keepMemories(memory, 1);
      const lot = { memory, address: calls.addressOf(memory.buffer), usedBytes: 0 };
      this.#lots.push(lot);
      return lot;
    } catch {
      giveMemories(1);
      return undefined;
    }
  }

  #clear(): void {
    const calls = pageCalls();
    for (const { address, usedBytes } of this.#lots.splice(1)) calls?.clear(address, usedBytes);
    const [first] = this.#lots;
    if (first !== undefined) {
      calls?.clear(first.address, first.usedBytes);
      first.usedBytes = 0;
    }
    giveMemories(this.#places);
    this.#places = 0;
    this.#free.clear();
  }
}
