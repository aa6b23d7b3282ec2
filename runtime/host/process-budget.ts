import { readFile } from "node:fs/promises";
import { assert } from "@shallop/sdk/internal";
import { BreachCounts, sharedBreaches } from "./breach-counts.ts";
import { slot } from "./thread-protocol.ts";

/** What all pods of one process may hold together, so that V8 does not find that there is no more: it would end the process. */
export interface ProcessBudget {
  /** Linear memories: each reserves 8 GiB of addresses, and 16,366 of them are all that there are. */
  readonly memoriesMax: number;
  /** Requests in flight: each may be suspended on a stack of its own. 40,000 stacks end a process. */
  readonly stacksMax: number;
  /** Threads, so pods. */
  readonly threadsMax: number;
}

/** Of a process with the mappings that Linux allows unless told otherwise (`vm.max_map_count`). */
export const mapsMaxUsual = 65_530;
const fullBudget: ProcessBudget = { memoriesMax: 4000, stacksMax: 8000, threadsMax: 200 };

// Mappings: of a memory its pages, the guards around them, and what a fork maps over them; of a stack itself and its guard; of
// a thread its own stack, its heap and its code. The rest is Node.
const mapsOfMemory = 4;
const mapsOfStack = 2;
const mapsOfThread = 100;
const mapsBase = 3000;

const mapsOf = ({ memoriesMax, stacksMax, threadsMax }: ProcessBudget): number =>
  mapsBase + memoriesMax * mapsOfMemory + stacksMax * mapsOfStack + threadsMax * mapsOfThread;

assert(mapsOf(fullBudget) < 0.9 * mapsMaxUsual, "a full budget fits the mappings of a process");
assert(
  fullBudget.memoriesMax < 16_366 / 4,
  "memories that nobody has any more are still there until they are collected",
);
assert(fullBudget.stacksMax < 40_000 / 4, "as with memories");

/** What this machine lets a process have. */
export async function readMapsMax(): Promise<number> {
  const text = await readFile("/proc/sys/vm/max_map_count", "utf8").catch(() => "");
  return Number(text) || mapsMaxUsual;
}

/** The budget of a process that may have so many mappings. */
export function budgetFor(mapsMax: number): ProcessBudget {
  const share = Math.min(1, (0.9 * mapsMax - mapsBase) / (mapsOf(fullBudget) - mapsBase));
  const part = (full: number): number => Math.max(1, Math.floor(full * share));
  const { memoriesMax, stacksMax, threadsMax } = fullBudget;
  return { memoriesMax: part(memoriesMax), stacksMax: part(stacksMax), threadsMax: part(threadsMax) };
}

/** What a thread is given: one count for all threads. */
export interface SharedBudget {
  readonly total: SharedArrayBuffer;
  /** See breach-counts.ts. */
  readonly breaches: SharedArrayBuffer;
  readonly budget: ProcessBudget;
}

const kinds = { memories: 0, stacks: 1 } as const;
type Kind = keyof typeof kinds;

export const shareBudget = (budget: ProcessBudget): SharedBudget => ({
  total: new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT),
  breaches: sharedBreaches(),
  budget,
});

/** What all threads of the process hold now. */
export function heldOf({ total }: SharedBudget): Readonly<Record<Kind, number>> {
  const counts = new Int32Array(total);
  return { memories: Atomics.load(counts, kinds.memories), stacks: Atomics.load(counts, kinds.stacks) };
}

/** A thread's part: counted for all, and in the thread's slots, so that what it held can be given back when it has gone. */
export class ThreadBudget {
  readonly #total: Int32Array;
  readonly #slots: Float64Array;
  readonly #budget: ProcessBudget;
  readonly breaches: BreachCounts;

  constructor({ total, breaches, budget }: SharedBudget, slots: Float64Array) {
    this.#total = new Int32Array(total);
    this.#slots = slots;
    this.#budget = budget;
    this.breaches = new BreachCounts(breaches);
  }

  max(kind: Kind): number {
    return kind === "memories" ? this.#budget.memoriesMax : this.#budget.stacksMax;
  }

  used(kind: Kind): number {
    return Atomics.load(this.#total, kinds[kind]);
  }

  /** False when there are not so many left. */
  take(kind: Kind, count = 1): boolean {
    if (Atomics.add(this.#total, kinds[kind], count) + count > this.max(kind)) {
      Atomics.sub(this.#total, kinds[kind], count);
      return false;
    }
    this.#slots[slot[kind]] = (this.#slots[slot[kind]] ?? 0) + count;
    return true;
  }

  give(kind: Kind, count = 1): void {
    Atomics.sub(this.#total, kinds[kind], count);
    this.#slots[slot[kind]] = (this.#slots[slot[kind]] ?? 0) - count;
  }

  /** The thread has gone: what it held is free. For the main thread. */
  giveBack(): void {
    for (const kind of ["memories", "stacks"] as const) this.give(kind, this.#slots[slot[kind]] ?? 0);
  }
}
