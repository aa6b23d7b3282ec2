import { cancellable, type FutureReader } from "../../abi/stream.ts";
import type { GuestContext } from "../guest-context.ts";
import type { Waitable } from "../waitable.ts";

/** Somebody else was faster: there is nothing yet. */
export const notYet = Symbol("not yet");

/**
 * What `answer` gives once `waitable` is ready; at once if it is. A guest that cancels has it never asked, and `cancelled`
 * is called instead. When the instance ends first it never settles.
 */
export function whenReady<T>(
  context: GuestContext,
  waitable: Waitable,
  answer: () => T | typeof notYet,
  cancelled: () => void = () => undefined,
): T | Promise<T> {
  const now = waitable.ready() ? answer() : notYet;
  if (now !== notYet) return now;
  const undo: (() => void)[] = [];
  const stop = (): void => {
    for (const one of undo.splice(0)) one();
  };
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const check = (): void => {
    try {
      const later = waitable.ready() ? answer() : notYet;
      if (later === notYet) return;
      stop();
      resolve(later);
    } catch (error) {
      stop();
      reject(error);
    }
  };
  undo.push(waitable.subscribe(check), context.onEnd(stop));
  return cancellable(promise, () => {
    stop();
    cancelled();
  });
}

/**
 * A future that is all that a function gives. Within a tuple a promise is one; as a result it would be an answer that has to be
 * waited for.
 */
export const futureOf = <T>(promise: Promise<T>): FutureReader<T> => ({ read: () => promise, drop: () => undefined });

/** A promise, and who keeps it. */
export class Outcome<T> {
  readonly promise: Promise<T>;
  readonly #resolve: (value: T | Promise<T>) => void;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<T>();
    this.promise = promise;
    this.#resolve = resolve;
  }

  /** Only the first counts. */
  settle(value: T | Promise<T>): void {
    this.#resolve(value);
  }
}
