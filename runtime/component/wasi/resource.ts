import type { GuestContext } from "./guest-context.ts";

/** A host object that a guest holds a handle of. Bindings call `[Symbol.dispose]` when the guest drops the handle. */
export abstract class Resource {
  protected readonly context: GuestContext;
  #held = true;

  constructor(context: GuestContext) {
    context.acquireHandle();
    this.context = context;
  }

  /** Dropped by the guest, or given back to the host. Safe to repeat. */
  [Symbol.dispose](): void {
    if (!this.#held) return;
    this.#held = false;
    this.context.releaseHandle();
    this.dropped();
  }

  /** For resources that hold something open. */
  protected dropped(): void {
    // Nothing to close.
  }
}

/**
 * The class as one instance's bindings see it: `new` and the static functions know the instance's context, and
 * `instanceof` holds for every object of `base`.
 */
export function guestClass<Statics extends object>(
  base: { readonly prototype: object },
  construct: (...args: never[]) => object,
  statics: Statics,
): Statics {
  // An arrow cannot be called with `new`; what a constructor returns replaces `this`.
  function guest(...args: never[]): object {
    return construct(...args);
  }
  guest.prototype = base.prototype;
  return Object.assign(guest, statics);
}

/** For classes that a guest cannot make. */
export function notConstructible(): never {
  throw new TypeError("this resource has no constructor");
}
