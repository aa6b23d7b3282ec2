import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { GuestFault } from "../guest-fault.ts";

/** How many linear memories there may be, of all threads of the process together. */
export interface MemoryBudget {
  readonly max: number;
  /** False when there are not so many left. */
  take(count: number): boolean;
  give(count: number): void;
  used(): number;
  /** There are few left: all threads of the process are to call `collectMemories`. */
  scarce(): void;
}

let budget: MemoryBudget | undefined;
const owners = new FinalizationRegistry<number>((count) => budget?.give(count));

/** For the thread that runs guests; without it there is no bound. */
export function boundMemories(bound: MemoryBudget): void {
  budget = bound;
}

/**
 * Before memories are made. They are given back when `keepMemories`' owner has been collected, since V8 has them until then.
 * @throws GuestFault REFUSED
 */
export function takeMemories(count: number): void {
  if (budget === undefined) return;
  const taken = budget.take(count);
  // V8 does not know that addresses are scarce: it collects when bytes are.
  if (!taken || budget.used() > budget.max * fullness) lookForGarbage(budget);
  if (taken) return;
  throw new GuestFault(
    "REFUSED",
    `The process of this namespace has ${budget.max} memories, which is all that it may have.`,
  );
}

export function keepMemories(owner: object, count: number): void {
  if (budget !== undefined) owners.register(owner, count);
}

/** None were made after all. */
export function giveMemories(count: number): void {
  budget?.give(count);
}

// From here on garbage is looked for: a collection takes some ten milliseconds, and is worth hundreds of memories.
const fullness = 0.75;
// A process that is really full must not do nothing else.
const pauseMs = 250;
let lookedMs = Number.NEGATIVE_INFINITY;
let collect: (() => void) | undefined;

function lookForGarbage(bound: MemoryBudget): void {
  const nowMs = performance.now();
  if (nowMs - lookedMs < pauseMs) return;
  lookedMs = nowMs;
  bound.scarce();
}

/** Collects the garbage of this thread. Not for a stack with a guest on it. */
export function collectMemories(): void {
  collect ??= collector();
  collect();
}

function collector(): () => void {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
}
