import type { ComponentState } from "../abi/component-state.ts";
import type { Handle } from "../abi/handle-table.ts";
import { eventCodes, Waitable } from "../abi/waitable.ts";
import type { InstanceTasks } from "./instance-tasks.ts";

/** CanonicalABI.md, "Subtask.State". */
export const subtaskStates = {
  starting: 0,
  started: 1,
  returned: 2,
  cancelledBeforeStarted: 3,
  cancelledBeforeReturned: 4,
} as const;

type SubtaskState = (typeof subtaskStates)[keyof typeof subtaskStates];

/** Asks the callee to stop; `over` is called when it has had its turn. */
type Cancel = (caller: InstanceTasks, over: () => void) => void;

/** A call that a component makes, as the caller sees it (CanonicalABI.md, "Subtask State"). */
export class Subtask extends Waitable {
  state: SubtaskState = subtaskStates.starting;
  isCancelRequested = false;
  /** Undefined where nobody can be asked. */
  cancel: Cancel | undefined;
  /** In the caller's table; 0 of a call that is not in it. */
  index = 0;
  readonly #caller: ComponentState;
  /** Handles that are lent to the callee; undefined when the caller has been told that it has ended. */
  #lent: Handle[] | undefined = [];

  constructor(caller: ComponentState) {
    super();
    this.#caller = caller;
  }

  get isResolved(): boolean {
    return this.state > subtaskStates.started;
  }

  get isDelivered(): boolean {
    return this.#lent === undefined;
  }

  /** Lifts the arguments: the handles among them are lent until the caller knows that the call has ended. */
  lending<Value>(lift: () => Value): Value {
    const caller = this.#caller;
    const before = caller.lent;
    caller.lent = this.#lent ?? [];
    try {
      return lift();
    } finally {
      caller.lent = before;
    }
  }

  /** Tells the caller, if it has the call in its table, and whoever waits for it. */
  moveTo(state: SubtaskState): void {
    this.state = state;
    if (this.index === 0) {
      this.waiter?.wake();
      return;
    }
    this.setEvent(() => {
      if (this.isResolved) this.deliver();
      return { code: eventCodes.subtask, index: this.index, payload: this.state };
    });
  }

  /** The caller knows that the call has ended. */
  deliver(): void {
    for (const handle of this.#lent ?? []) handle.lends--;
    this.#lent = undefined;
  }
}
