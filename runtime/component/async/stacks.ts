import type { CoreValue } from "../abi/codec.ts";
import { GuestFault } from "../guest-fault.ts";
import type { LiveInstance } from "../instance/live-instance.ts";
import { suspendedMax } from "./bounds.ts";
import type { CoreSignature } from "../core-module/encode.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Thread } from "./thread.ts";

type CoreFunction = (...values: readonly CoreValue[]) => unknown;
type Finish = () => CoreValue | undefined;

interface Suspended {
  readonly thread: Thread;
  readonly go: (id: number) => void;
  finish: Finish | undefined;
}

/** How a core function is entered. */
export interface Entry {
  readonly core: CoreFunction;
  readonly signature: CoreSignature;
}

/**
 * Stacks of threads that may be suspended (JSPI). What suspends says so through the waiting shim; what is entered runs through the entry
 * shim, so that it is known at once whether it has ended: JSPI alone tells that a microtask later.
 */
export class Stacks {
  /** 1: a built-in has to wait, and its result is of no meaning. */
  readonly pending = new WebAssembly.Global({ value: "i32", mutable: true }, 0);
  readonly #live: LiveInstance;
  readonly #scheduler: Scheduler;
  readonly #entries = new Map<CoreFunction, (...values: readonly CoreValue[]) => Promise<unknown>>();
  readonly #ended = new Map<Thread, CoreValue | undefined>();
  readonly #suspended = new Map<number, Suspended>();
  readonly #idByThread = new Map<Thread, number>();
  #suspending: { readonly thread: Thread; readonly suspended: () => void } | undefined;
  #ids = 0;

  constructor(live: LiveInstance, scheduler: Scheduler) {
    this.#live = live;
    this.#scheduler = scheduler;
  }

  get count(): number {
    return this.#suspended.size;
  }

  /** Calls a core function on a stack of its own; `returned` is called with its result, now or when it has been resumed. */
  enter(
    thread: Thread,
    entry: Entry,
    { values, returned }: { readonly values: readonly CoreValue[]; readonly returned: (value: unknown) => void },
  ): void {
    let isLate = false;
    const run = this.#entries.get(entry.core) ?? this.#makeEntry(entry);
    const promise = run(...values);
    promise.then(
      () => {
        if (isLate) this.#resumed(thread, returned);
      },
      (error: unknown) => this.#live.tasks?.failed(error),
    );
    if (this.#ended.has(thread)) return returned(this.#takeEnd(thread));
    // It has trapped, and what with is told in a microtask.
    if (!this.#idByThread.has(thread)) throw (this.#live.guest.fault ??= trapped);
    isLate = true;
  }

  /**
   * The running thread cannot go on: the waiting shim shall suspend it. `suspended` is called when it has; what it waits for
   * may end its turn there.
   */
  suspend(thread: Thread, suspended: () => void): void {
    if (!thread.canSuspend)
      thread.instance.state.trap("the guest had to wait where it cannot: in a function that is not async");
    if (this.#suspended.size >= suspendedMax) {
      const message = `the guest has ${suspendedMax} calls suspended and suspended one more`;
      thread.instance.state.fail(new GuestFault("GUEST_LIMIT", message));
    }
    this.#suspending = { thread, suspended };
    this.pending.value = 1;
    // Until the shim has come to wait the guest is over: it can catch that it cannot be suspended, and must not go on.
    this.#live.guest.fault ??= cannotWait;
  }

  /** Lets a suspended thread go on, in a microtask: `finish` gives the result of the built-in that it waits in. */
  resume(thread: Thread, finish: Finish): void {
    const id = this.#idByThread.get(thread) ?? -1;
    const suspended = this.#suspended.get(id);
    if (suspended === undefined) throw new TypeError("a thread is resumed that is not suspended");
    suspended.finish = finish;
    suspended.go(id);
  }

  /** The shim's `wait`. */
  readonly wait = (): Promise<number> => {
    const suspending = this.#suspending;
    this.#suspending = undefined;
    this.pending.value = 0;
    if (this.#live.guest.fault === cannotWait) this.#live.guest.fault = undefined;
    if (suspending === undefined) throw new TypeError("a guest waits for nothing");
    const { thread, suspended } = suspending;
    const id = ++this.#ids;
    const promise = new Promise<number>((go) => {
      this.#suspended.set(id, { thread, go, finish: undefined });
      this.#idByThread.set(thread, id);
    });
    this.#scheduler.current = undefined;
    suspended();
    return promise;
  };

  /** The shim's `finish`: the thread runs again. */
  readonly finish = (id: number): CoreValue | undefined => {
    const suspended = this.#suspended.get(id);
    if (suspended?.finish === undefined) throw new TypeError("a guest went on by itself");
    const { thread, finish } = suspended;
    this.#suspended.delete(id);
    this.#idByThread.delete(thread);
    this.#scheduler.current = thread;
    thread.instance.state.throwIfOver();
    try {
      return finish();
    } catch (error) {
      throw this.#live.ended(error);
    }
  };

  /** The entry shim's `done`. */
  readonly #done = (value: CoreValue | undefined): void => {
    const thread = this.#scheduler.current;
    if (thread !== undefined) this.#ended.set(thread, value);
  };

  reset(): void {
    this.pending.value = 0;
    this.#suspended.clear();
    this.#idByThread.clear();
    this.#ended.clear();
    this.#suspending = undefined;
  }

  #resumed(thread: Thread, returned: (value: unknown) => void): void {
    if (this.#live.guest.fault !== undefined) return this.#live.tasks?.failed(this.#live.guest.fault);
    this.#scheduler.current = thread;
    try {
      returned(this.#takeEnd(thread));
    } catch (error) {
      this.#live.tasks?.failed(error);
    } finally {
      this.#scheduler.current = undefined;
    }
  }

  #takeEnd(thread: Thread): CoreValue | undefined {
    const value = this.#ended.get(thread);
    this.#ended.delete(thread);
    return value;
  }

  #makeEntry({ core, signature }: Entry): (...values: readonly CoreValue[]) => Promise<unknown> {
    const shim = this.#live.component.entryShim(signature);
    const { exports } = new WebAssembly.Instance(shim, { core: { run: core }, state: { done: this.#done } });
    const run = WebAssembly.promising(exports["run"] as CoreFunction);
    this.#entries.set(core, run);
    return run;
  }
}

const cannotWait = new GuestFault("GUEST_FAILED", "the guest had to wait where it cannot be suspended");
/** Stands for the fault of a stack until JSPI tells which it was. */
export const trapped = new GuestFault("GUEST_FAILED", "the guest failed: trap");
