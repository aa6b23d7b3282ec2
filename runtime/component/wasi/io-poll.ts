import { GuestFault } from "../guest-fault.ts";
import type { Caller, GuestContext } from "./guest-context.ts";
import { guestClass, notConstructible, Resource } from "./resource.ts";
import { type Waitable, whenAnyReady } from "./waitable.ts";

/** `wasi:io/poll.pollable`. */
export class Pollable extends Resource {
  readonly waitable: Waitable;
  readonly #drop: (() => void) | undefined;

  /** `drop` ends what exists for this pollable alone, such as a timer. */
  constructor(context: GuestContext, waitable: Waitable, drop?: () => void) {
    super(context);
    this.waitable = waitable;
    this.#drop = drop;
  }

  ready(): boolean {
    return this.waitable.ready();
  }

  block(): Promise<void> | undefined {
    return this.waitable.ready() ? undefined : whenAnyReady(this.context, [this.waitable]);
  }

  protected override dropped(): void {
    this.#drop?.();
  }
}

function readyIndexes(pollables: readonly Pollable[]): Uint32Array | undefined {
  const indexes: number[] = [];
  for (const [index, pollable] of pollables.entries()) if (pollable.waitable.ready()) indexes.push(index);
  return indexes.length === 0 ? undefined : Uint32Array.from(indexes);
}

/** wasi:io/poll@0.2. An empty list traps, as the interface says. */
export function ioPoll(caller: Caller): object {
  const poll = (pollables: readonly Pollable[]): Uint32Array | Promise<Uint32Array> => {
    if (pollables.length === 0) throw new GuestFault("GUEST_FAILED", "the guest polled an empty list");
    const ready = readyIndexes(pollables);
    if (ready !== undefined) return ready;
    const waitables = pollables.map((pollable) => pollable.waitable);
    return whenAnyReady(caller.context, waitables).then(() => readyIndexes(pollables) ?? new Uint32Array());
  };
  return { Pollable: guestClass(Pollable, notConstructible, {}), poll };
}
