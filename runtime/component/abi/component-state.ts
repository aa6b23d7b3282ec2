import { breachText } from "@shallop/sdk/internal";
import { GuestFault } from "../guest-fault.ts";
import { type BorrowScope, type Handle, type HandleItems, HandleTable } from "./handle-table.ts";

/** What every component instance of one guest shares. */
export class GuestState {
  /** Something trapped: nothing of the guest runs again, even if it swallowed the exception. */
  fault: GuestFault | undefined;
  /** The host has something for the guest, a value that came late: `job` is run when nothing of the guest is at work. */
  post: (job: () => void) => void = (job) => job();
  /** Something of the host that the guest waits for has failed. */
  failed: (error: unknown) => void = () => undefined;
  /** What of the host waits for the guest, and is told when it fails. */
  readonly waits = new Set<(fault: GuestFault) => void>();
}

/** What a component instance's state was. */
export interface AsideState {
  readonly handles: HandleItems;
  readonly mayLeave: boolean;
  readonly entered: boolean;
  readonly borrowing: BorrowScope | undefined;
  readonly lent: Handle[];
}

/** The state that the canonical ABI keeps for one component instance (CanonicalABI.md, "Component Instance State"). */
export class ComponentState {
  /** Of the component instance, as in `LinkPlan.componentInstances`. */
  readonly number: number;
  readonly handles: HandleTable;
  /** Whether the instance may call out: not while its `realloc` or a post-return function is at work. */
  mayLeave = true;
  /** A call is in the instance: no other may enter it. */
  entered = false;
  /** The call that handles are lent to while its arguments are lowered. */
  borrowing: BorrowScope | undefined;
  /** The handles that calls under way have been lent; an async call has a list of its own. */
  lent: Handle[] = [];
  readonly guest: GuestState;

  constructor(guest: GuestState, number: number, handlesMax: number) {
    this.guest = guest;
    this.number = number;
    this.handles = new HandleTable(this, {
      max: handlesMax,
      full: () => new GuestFault("GUEST_HANDLES", breachText("handlesMax", handlesMax)),
    });
  }

  /** As it was before the first call. */
  reset(): void {
    this.handles.clear();
    this.mayLeave = true;
    this.entered = false;
    this.borrowing = undefined;
    if (this.lent.length > 0) this.lent = [];
  }

  /** What it is now, for `putBack`; it is as before the first call then. */
  setAside(): AsideState {
    const { mayLeave, entered, borrowing, lent } = this;
    const aside = { handles: this.handles.setAside(), mayLeave, entered, borrowing, lent };
    this.lent = [];
    this.reset();
    return aside;
  }

  putBack({ handles, mayLeave, entered, borrowing, lent }: AsideState): void {
    this.handles.putBack(handles);
    this.mayLeave = mayLeave;
    this.entered = entered;
    this.borrowing = borrowing;
    this.lent = lent;
  }

  /** How many handles calls under way have been lent; `takeBack` is given it when one of them ends. */
  get lentCount(): number {
    return this.lent.length;
  }

  /** Until `takeBack` the handle cannot be dropped or given away. */
  lend(handle: Handle): void {
    handle.lends++;
    this.lent.push(handle);
  }

  takeBack(count: number): void {
    while (this.lent.length > count) {
      const handle = this.lent.pop();
      if (handle !== undefined) handle.lends--;
    }
  }

  /** For where a guest has had its turn: it may have caught what was thrown through it. @throws GuestFault the first one */
  throwIfOver(): void {
    if (this.guest.fault !== undefined) throw this.guest.fault;
  }

  /** For where a guest calls out. @throws GuestFault when it is over, or must not */
  checkCallOut(): void {
    this.throwIfOver();
    if (!this.mayLeave) this.trap("the guest called out while it must not: in realloc or in a post-return function");
  }

  /** @throws GuestFault always: the guest broke a rule of the canonical ABI, and is over */
  trap(why: string): never {
    return this.fail(new GuestFault("GUEST_FAILED", `trap: ${why}`));
  }

  /** Throws `fault`, and remembers it: a guest can catch what passes through it. */
  fail(fault: GuestFault): never {
    this.guest.fault ??= fault;
    throw fault;
  }
}
