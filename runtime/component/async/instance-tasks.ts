import type { ComponentState } from "../abi/component-state.ts";
import { HandleTable } from "../abi/handle-table.ts";
import { GuestFault } from "../guest-fault.ts";
import { threadsMax } from "./bounds.ts";
import type { Thread } from "./thread.ts";

/** What of one component instance is under way (CanonicalABI.md, "Component Instances"). */
export class InstanceTasks {
  readonly state: ComponentState;
  /** No call is at work in it. One that waits is not at work. */
  mayEnter = true;
  /** How many of its tasks ask that no more calls be let in. */
  backpressure = 0;
  /** The thread that has the instance's stack to itself: an async call with a callback, or one that is lifted without `async`. */
  exclusive: Thread | undefined;
  /** Calls that wait to be let in, in their order. */
  readonly entering = new Set<Thread>();
  /** Threads of calls that have been let in. */
  readonly threads: HandleTable;
  /** Threads that have an event, and found `exclusive` taken. */
  readonly wanting = new Set<Thread>();
  readonly #selfAndAncestors: readonly InstanceTasks[];
  readonly #entered = new Map<InstanceTasks | undefined, readonly InstanceTasks[]>();

  constructor(state: ComponentState, parent: InstanceTasks | undefined) {
    this.state = state;
    this.threads = new HandleTable(state, {
      max: threadsMax,
      full: () => new GuestFault("GUEST_LIMIT", `a component has ${threadsMax} threads and began one more`),
    });
    this.#selfAndAncestors = [this, ...(parent === undefined ? [] : parent.#selfAndAncestors)];
  }

  mayEnterFrom(caller: InstanceTasks | undefined): boolean {
    return this.#entering(caller).every(({ mayEnter }) => mayEnter);
  }

  /** A call from `caller`, or from the host, is at work. @returns `over`, with which it is not any more */
  enterFrom(caller: InstanceTasks | undefined, over: () => void): () => void {
    const entered = this.#entering(caller);
    for (const instance of entered) instance.mayEnter = false;
    return () => {
      for (const instance of entered) instance.mayEnter = true;
      over();
    };
  }

  /** What a call is already in it does not enter: a component that wraps another may be called by it. */
  #entering(caller: InstanceTasks | undefined): readonly InstanceTasks[] {
    let entered = this.#entered.get(caller);
    if (entered === undefined) {
      entered = this.#selfAndAncestors.filter((one) => caller === undefined || !caller.#selfAndAncestors.includes(one));
      this.#entered.set(caller, entered);
    }
    return entered;
  }

  /** Who was held back may look again: of those that want the stack to themselves one, and whoever does not need it. */
  changed(): void {
    this.wakeWanting();
    let isStackGiven = false;
    for (const thread of this.entering) {
      if (thread.task.isHeldBack || (thread.task.needsExclusive && isStackGiven)) continue;
      isStackGiven ||= thread.task.needsExclusive;
      thread.wake();
    }
  }

  wakeWanting(): void {
    for (const thread of this.wanting) {
      this.wanting.delete(thread);
      return thread.wake();
    }
  }

  reset(): void {
    this.mayEnter = true;
    this.backpressure = 0;
    this.exclusive = undefined;
    this.entering.clear();
    this.threads.clear();
    this.wanting.clear();
  }
}
