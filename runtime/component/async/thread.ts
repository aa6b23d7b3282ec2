import { noResource, type TableItem } from "../abi/handle-table.ts";
import type { Waiter } from "../abi/waitable.ts";
import type { InstanceTasks } from "./instance-tasks.ts";
import type { Task } from "./task.ts";

/** What a thread waits for. */
export interface Waiting {
  readonly isReady: () => boolean;
  /** Whether it may be told instead that its task's caller wants it to stop. */
  readonly isCancellable: boolean;
  /** Goes on; the turn is the thread's until it says that it is over. */
  readonly resume: (isCancelled: boolean) => void;
  /** It waits for another thread to let it go on. */
  readonly isParked?: boolean;
}

/**
 * A thread of a task (CanonicalABI.md, "Threads"): each task has one of its own, and may make more. Threads of a guest run in turns.
 */
export class Thread implements Waiter, TableItem {
  readonly resource = noResource;
  readonly task: Task;
  /** Whether it has a stack that can be suspended. */
  readonly canSuspend: boolean;
  /** What `context.get` gives. */
  readonly storage: [number, number] = [0, 0];
  waiting: Waiting | undefined;
  /** Among the threads of its instance. */
  index = 0;
  /** It is among those that are to be looked at. */
  isWoken = false;
  readonly #wake: (thread: Thread) => void;
  #turnOver: (() => void) | undefined;

  constructor(
    task: Task,
    { canSuspend, wake }: { readonly canSuspend: boolean; readonly wake: (thread: Thread) => void },
  ) {
    this.task = task;
    this.canSuspend = canSuspend;
    this.#wake = wake;
  }

  get instance(): InstanceTasks {
    return this.task.instance;
  }

  get isReady(): boolean {
    return this.waiting?.isReady() === true;
  }

  get isParked(): boolean {
    return this.waiting?.isParked === true;
  }

  wake(): void {
    this.#wake(this);
  }

  /** Another thread has said that it may go on. */
  unpark(): void {
    if (this.waiting !== undefined) this.waiting = { ...this.waiting, isReady: () => true, isParked: false };
    this.wake();
  }

  /** `over` is called when the thread waits, or has ended. */
  takeTurn(over: () => void): void {
    this.#turnOver = over;
  }

  endTurn(): void {
    this.giveTurn()();
  }

  /** The rest of the turn is another's. */
  giveTurn(): () => void {
    const over = this.#turnOver;
    this.#turnOver = undefined;
    return over ?? (() => undefined);
  }

  resume(isCancelled: boolean): void {
    const { waiting } = this;
    this.waiting = undefined;
    waiting?.resume(isCancelled);
  }
}
