import { GuestFault } from "../guest-fault.ts";
import type { GuestContext } from "./guest-context.ts";

/** Something that a guest may wait for. */
export interface Waitable {
  ready(): boolean;
  /** Calls `listener` when `ready` may have become true; possibly more than once. Returns how to take it back. */
  subscribe(listener: () => void): () => void;
}

/** The listeners of a Waitable. */
export class Listeners {
  // Most of what a request has is never waited for, and the rest by one: a Set is made for the second.
  #only: (() => void) | undefined;
  #others: Set<() => void> | undefined;

  get isEmpty(): boolean {
    return this.#only === undefined && (this.#others === undefined || this.#others.size === 0);
  }

  add(listener: () => void): () => void {
    if (this.#only === undefined) this.#only = listener;
    else (this.#others ??= new Set()).add(listener);
    return () => {
      if (this.#only === listener) this.#only = undefined;
      else this.#others?.delete(listener);
    };
  }

  notify(): void {
    const others = this.#others;
    const all = others === undefined || others.size === 0 ? undefined : [...others];
    this.#only?.();
    if (all !== undefined) for (const listener of all) listener();
  }

  clear(): void {
    this.#only = undefined;
    this.#others?.clear();
  }
}

/** Is ready from the beginning. */
export const alwaysReady: Waitable = { ready: () => true, subscribe: () => () => undefined };

/**
 * Resolves when one of `waitables` is ready. When the instance ends first it rejects: a guest that is suspended has to leave
 * its stack, which V8 keeps for as long as it is suspended, with all that the guest has. @throws GuestFault
 */
export function whenAnyReady(context: GuestContext, waitables: readonly Waitable[]): Promise<void> {
  return anyReady(context, waitables, true);
}

/** As `whenAnyReady`, for what no guest's stack waits for: when the instance ends first it never settles. */
export function untilAnyReady(context: GuestContext, waitables: readonly Waitable[]): Promise<void> {
  return anyReady(context, waitables, false);
}

function anyReady(context: GuestContext, waitables: readonly Waitable[], rejects: boolean): Promise<void> {
  if (waitables.some((waitable) => waitable.ready())) return Promise.resolve();
  context.isWoken = false;
  return new Promise((resolve, reject) => {
    const undo: (() => void)[] = [];
    const stop = (): void => {
      for (const one of undo) one();
    };
    const check = (): void => {
      if (!waitables.some((waitable) => waitable.ready())) return;
      stop();
      context.isWoken = true;
      resolve();
    };
    for (const waitable of waitables) undo.push(waitable.subscribe(check));
    undo.push(
      context.onEnd(() => {
        stop();
        if (rejects) reject(new GuestFault("GUEST_FAILED", "the request was over while the guest waited"));
      }),
    );
  });
}
