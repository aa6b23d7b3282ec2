import { breachText } from "@shallop/sdk/internal";
import { GuestFault } from "../guest-fault.ts";
import type { ComponentState } from "./component-state.ts";

/** What a handle stands for. */
export interface Handle {
  /** Index into `LinkPlan.resources`. */
  readonly resource: number;
  /** An object of the host, or the number by which the guest that defines the resource knows it. */
  readonly representation: unknown;
  readonly own: boolean;
  /** Of a borrowed handle: the call that it was lent for, which ends only when the handle has been dropped. */
  readonly scope: BorrowScope | undefined;
  /** Calls under way that this handle has been lent to. */
  lends: number;
}

/** A call that handles were lent to. */
export interface BorrowScope {
  borrows: number;
}

/** Indexes and the handles that they name, of one component instance (CanonicalABI.md, "Table State"). 0 names none. */
export class HandleTable {
  readonly #state: ComponentState;
  readonly #handlesMax: number;
  readonly #handles: (Handle | undefined)[] = [undefined];
  readonly #free: number[] = [];

  constructor(state: ComponentState, handlesMax: number) {
    this.#state = state;
    this.#handlesMax = handlesMax;
  }

  get size(): number {
    return this.#handles.length - 1 - this.#free.length;
  }

  /** @throws GuestFault GUEST_HANDLES */
  add(handle: Handle): number {
    const free = this.#free.pop();
    if (free !== undefined) {
      this.#handles[free] = handle;
      return free;
    }
    if (this.#handles.length > this.#handlesMax) {
      this.#state.fail(new GuestFault("GUEST_HANDLES", breachText("handlesMax", this.#handlesMax)));
    }
    return this.#handles.push(handle) - 1;
  }

  /** @throws GuestFault when the index names no handle of this resource */
  get(index: number, resource: number): Handle {
    const handle = this.#handles[index];
    if (handle === undefined) this.#state.trap(`there is no handle ${index}`);
    if (handle.resource !== resource) this.#state.trap(`handle ${index} is of another resource`);
    return handle;
  }

  /** @throws GuestFault as `get` does, and when the handle is lent to a call that has not ended */
  remove(index: number, resource: number): Handle {
    const handle = this.get(index, resource);
    if (handle.lends > 0) this.#state.trap(`handle ${index} is lent to a call that has not ended`);
    this.#handles[index] = undefined;
    this.#free.push(index);
    return handle;
  }

  clear(): void {
    this.#handles.length = 1;
    this.#free.length = 0;
  }
}
