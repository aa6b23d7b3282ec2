import { turnsMax } from "./bounds.ts";
import type { Thread } from "./thread.ts";

/** Something to do with the guest; `over` is called when nothing of it is at work any more. */
type Work = (over: () => void) => void;

/** Told when the guest is at work, and when it is not. */
type Running = (isRunning: boolean) => void;

interface Planned {
  readonly work: Work;
  /** Of the call that it is for. */
  readonly running: Running | undefined;
}

export interface SchedulerOwner {
  /** The guest has failed: nothing of it runs again. */
  isOver(): boolean;
  failed(error: unknown): void;
  /** The guest is at work, or is not. */
  running(isRunning: boolean): void;
  /** Nothing of the guest is ready: it goes on when something comes from the host. */
  idle(): void;
}

/**
 * Whose turn it is in a guest. One thread is at work at a time, with those that its calls begin; one that waits is looked at again when
 * something has happened that it may wait for (CanonicalABI.md, "Store.tick", with the first instead of any).
 */
export class Scheduler {
  /** The thread whose code runs. */
  current: Thread | undefined;
  readonly #owner: SchedulerOwner;
  #isBusy = false;
  #isScheduled = false;
  #work: Planned[] = [];
  #woken: Thread[] = [];
  #yielded: Thread[] = [];

  constructor(owner: SchedulerOwner) {
    this.#owner = owner;
  }

  /** Now, or when nothing of the guest is at work. */
  begin(work: Work, running?: Running): void {
    this.#work.push({ work, running });
    this.#pump();
  }

  wake(thread: Thread): void {
    if (thread.isWoken) return;
    thread.isWoken = true;
    this.#woken.push(thread);
    this.#schedule();
  }

  /** It is ready, and lets timers and sockets have a turn first. */
  wakeLater(thread: Thread): void {
    if (this.#yielded.push(thread) > 1) return;
    setImmediate(() => {
      for (const yielded of this.#yielded.splice(0)) this.wake(yielded);
    });
  }

  /** Lets `thread` run: `step` is its code, `over` is called when it waits or has ended. */
  turn(thread: Thread, { step, over }: { readonly step: () => void; readonly over: () => void }): void {
    const before = this.current;
    this.current = thread;
    thread.takeTurn(over);
    try {
      step();
    } finally {
      this.current = before;
    }
  }

  reset(): void {
    this.current = undefined;
    this.#isBusy = false;
    this.#work = [];
    this.#woken = [];
    this.#yielded = [];
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isBusy) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#isBusy) return;
    let isTold = false;
    for (let turns = 0; !this.#isBusy && !this.#owner.isOver(); turns++) {
      if (turns === turnsMax) {
        setImmediate(() => this.#pump());
        break;
      }
      const work = this.#work.shift() ?? this.#nextWoken();
      if (work === undefined) break;
      if (!isTold) this.#owner.running(true);
      isTold = true;
      this.#run(work);
    }
    if (this.#isBusy) return;
    if (isTold) this.#owner.running(false);
    if (this.#work.length + this.#woken.length + this.#yielded.length === 0) this.#owner.idle();
  }

  #run({ work, running }: Planned): void {
    this.#isBusy = true;
    let isLate = false;
    running?.(true);
    const over = (): void => {
      this.#isBusy = false;
      running?.(false);
      if (!isLate) return;
      this.#owner.running(false);
      this.#schedule();
    };
    try {
      work(over);
    } catch (error) {
      this.#isBusy = false;
      running?.(false);
      this.#owner.failed(error);
    }
    isLate = true;
  }

  #nextWoken(): Planned | undefined {
    for (let thread = this.#woken.shift(); thread !== undefined; thread = this.#woken.shift()) {
      thread.isWoken = false;
      if (!thread.isReady) continue;
      const ready = thread;
      const work: Work = (over) => {
        const left = ready.instance.enterFrom(undefined, over);
        this.turn(ready, { step: () => ready.resume(false), over: left });
      };
      return { work, running: ready.task.running };
    }
    return undefined;
  }
}
