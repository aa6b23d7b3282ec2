import type { GuestContext } from "./guest-context.ts";

/** Something that a guest may wait for. */
export interface Waitable {
  ready(): boolean;
  /** Calls `listener` when `ready` may have become true; possibly more than once. Returns how to take it back. */
  subscribe(listener: () => void): () => void;
}

/** The listeners of a Waitable. */
export class Listeners {
  readonly #listeners = new Set<() => void>();

  add(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  notify(): void {
    for (const listener of Array.from(this.#listeners)) listener();
  }

  clear(): void {
    this.#listeners.clear();
  }
}

/** Is ready from the beginning. */
export const alwaysReady: Waitable = { ready: () => true, subscribe: () => () => undefined };

/**
 * Resolves when one of `waitables` is ready. When the instance ends first it never settles: the suspended stack of the
 * guest is then unreachable, and is collected with it.
 */
export function whenAnyReady(context: GuestContext, waitables: readonly Waitable[]): Promise<void> {
  if (waitables.some((waitable) => waitable.ready())) return Promise.resolve();
  context.isWoken = false;
  return new Promise((resolve) => {
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
    undo.push(context.onEnd(stop));
  });
}
