import type { CoreValue } from "../abi/codec.ts";
import { cancelEvent, type GuestEvent, noEvent, WaitableSet } from "../abi/waitable.ts";
import type { CoreReference, LiftPlan } from "../link/link-plan.ts";
import type { EntrySignature } from "./entry-shim.ts";
import type { Task } from "./task.ts";
import type { Tasks } from "./tasks.ts";

type CoreFunction = (...values: readonly CoreValue[]) => unknown;

/** CanonicalABI.md, "CallbackCode". */
const callbackCodes = { exit: 0, yield: 1, wait: 2 } as const;

const callbackSignature: EntrySignature = { params: ["i32", "i32", "i32"], result: "i32" };

/** A task that has been let in runs: its arguments are lowered and its core function called (CanonicalABI.md, "canon lift"). */
export function runTask(tasks: Tasks, task: Task, lift: number): void {
  const { live } = tasks;
  const plan = live.component.plan.lifts[lift];
  if (plan === undefined) throw new RangeError(`the plan has no lift ${lift}`);
  new TaskRun(tasks, task, plan).begin();
}

class TaskRun {
  readonly #tasks: Tasks;
  readonly #task: Task;
  readonly #plan: LiftPlan;

  constructor(tasks: Tasks, task: Task, plan: LiftPlan) {
    this.#tasks = tasks;
    this.#task = task;
    this.#plan = plan;
  }

  begin(): void {
    const { live } = this.#tasks;
    const { instance } = this.#task;
    const { options, core } = this.#plan;
    const codec = live.component.codec(this.#plan.type);
    const context = live.context(this.#plan.instance, options);
    if (this.#task.needsExclusive) instance.exclusive = this.#task.implicit;
    this.#task.addThread(this.#task.implicit);
    const args = this.#task.begin();
    instance.state.borrowing = this.#task;
    const values = codec.lowerParams(context, args);
    instance.state.borrowing = undefined;
    const { params, result } = codec.lifted;
    if (!options.async) {
      this.#call(core, { values, signature: { params, result }, returned: (value) => this.#returned(value) });
    } else if (options.callback === undefined) {
      this.#call(core, { values, signature: { params, result: undefined }, returned: () => this.#exit() });
    } else {
      this.#call(core, { values, signature: { params, result: "i32" }, returned: (code) => this.#next(code) });
    }
  }

  #call(
    core: CoreReference,
    {
      values,
      signature,
      returned,
    }: {
      readonly values: readonly CoreValue[];
      readonly signature: EntrySignature;
      readonly returned: (value: unknown) => void;
    },
  ): void {
    const { live, stacks } = this.#tasks;
    const { state } = this.#task.instance;
    const run = live.core(core) as CoreFunction;
    const checked = (value: unknown): void => {
      state.throwIfOver();
      returned(value);
    };
    const { implicit } = this.#task;
    if (!implicit.canSuspend) return checked(run(...values));
    stacks.enter(implicit, { core: run, signature }, { values, returned: checked });
  }

  /** A function that is lifted without `async`. */
  #returned(returned: unknown): void {
    const { live } = this.#tasks;
    const { options, type } = this.#plan;
    const { state } = this.#task.instance;
    this.#task.return(live.component.codec(type).liftResult(live.context(this.#plan.instance, options), returned));
    if (options.postReturn !== undefined) {
      state.mayLeave = false;
      const postReturn = live.core(options.postReturn) as CoreFunction;
      if (returned === undefined) postReturn();
      else postReturn(returned as CoreValue);
      state.throwIfOver();
      state.mayLeave = true;
    }
    this.#task.settle();
    this.#exit();
  }

  /** A function with a callback has returned what it waits for. */
  #next(code: unknown): void {
    const task = this.#task;
    const { implicit } = task;
    const { state } = task.instance;
    const packed = Number(code) >>> 0;
    const kind = packed & 0xf;
    if (kind === callbackCodes.exit) return this.#exit();
    if (kind === callbackCodes.yield) {
      if (task.takeCancel()) return this.#callback(cancelEvent);
      this.#wait(
        () => true,
        () => noEvent,
      );
      this.#tasks.scheduler.wakeLater(implicit);
      return implicit.endTurn();
    }
    if (kind !== callbackCodes.wait) state.trap(`a callback returned ${kind}, which says nothing`);
    const set = state.handles.item(packed >>> 4);
    if (!(set instanceof WaitableSet)) return state.trap(`handle ${packed >>> 4} is no waitable set`);
    if (task.takeCancel()) return this.#callback(cancelEvent);
    set.waiters.add(implicit);
    this.#wait(
      () => set.hasEvent,
      (isCancelled) => {
        set.waiters.delete(implicit);
        return isCancelled ? cancelEvent : set.takeEvent();
      },
    );
    if (set.hasEvent) implicit.wake();
    return implicit.endTurn();
  }

  /** Lets others of its instance run until there is an event. */
  #wait(hasEvent: () => boolean, takeEvent: (isCancelled: boolean) => GuestEvent): void {
    const { instance, implicit } = this.#task;
    instance.exclusive = undefined;
    implicit.waiting = {
      isReady: () => this.#isReady(hasEvent),
      isCancellable: true,
      resume: (isCancelled) => {
        instance.wanting.delete(implicit);
        instance.exclusive = implicit;
        const event = takeEvent(isCancelled);
        this.#callback(isCancelled ? cancelEvent : event);
      },
    };
    instance.changed();
  }

  /** Whoever looks and finds another at work is told when it is done; whoever looks in vain lets the next one look. */
  #isReady(hasEvent: () => boolean): boolean {
    const { instance, implicit } = this.#task;
    if (!hasEvent()) {
      if (instance.exclusive === undefined) instance.wakeWanting();
      return false;
    }
    if (instance.exclusive === undefined) return true;
    instance.wanting.add(implicit);
    return false;
  }

  #callback({ code, index, payload }: GuestEvent): void {
    const { callback } = this.#plan.options;
    if (callback === undefined) throw new TypeError("a function without a callback waits in one");
    this.#call(callback, {
      values: [code, index, payload],
      signature: callbackSignature,
      returned: (next) => this.#next(next),
    });
  }

  #exit(): void {
    const { instance, implicit, needsExclusive } = this.#task;
    this.#task.endThread(implicit);
    if (needsExclusive) {
      instance.exclusive = undefined;
      instance.changed();
    }
    implicit.endTurn();
  }
}
