import type { CanonicalContext } from "../abi/canonical-context.ts";
import type { CoreValue } from "../abi/codec.ts";
import type { FunctionCodec } from "../abi/function-codec.ts";
import { cancelEvent, type GuestEvent, noEvent, WaitableSet } from "../abi/waitable.ts";
import type { LiveInstance } from "../instance/live-instance.ts";
import type { LiftPlan } from "../link/link-plan.ts";
import type { CoreSignature } from "../core-module/encode.ts";
import type { Task } from "./task.ts";
import type { Tasks } from "./tasks.ts";

type CoreFunction = (...values: readonly CoreValue[]) => unknown;

/** CanonicalABI.md, "CallbackCode". */
const callbackCodes = { exit: 0, yield: 1, wait: 2 } as const;

const callbackSignature: CoreSignature = { params: ["i32", "i32", "i32"], result: "i32" };

/** A function of the component, ready to be called. */
export interface Lifted {
  readonly plan: LiftPlan;
  readonly codec: FunctionCodec;
  readonly context: CanonicalContext;
  readonly core: CoreFunction;
  readonly callback: CoreFunction | undefined;
  readonly signature: CoreSignature;
}

export function liftedOf(live: LiveInstance, lift: number): Lifted {
  const plan = live.component.plan.lifts[lift];
  if (plan === undefined) throw new RangeError(`the plan has no lift ${lift}`);
  const { core, options, type, instance } = plan;
  const codec = live.component.codec(type);
  const { params, result } = codec.lifted;
  const asyncResult = options.callback === undefined ? undefined : "i32";
  return {
    plan,
    codec,
    context: live.context(instance, options),
    core: live.core(core) as CoreFunction,
    callback: options.callback && (live.core(options.callback) as CoreFunction),
    signature: { params, result: options.async ? asyncResult : result },
  };
}

/** A task that has been let in: its arguments are lowered and its core function called (CanonicalABI.md, "canon lift"). */
export class TaskRun {
  readonly #tasks: Tasks;
  readonly #task: Task;
  readonly #lifted: Lifted;

  constructor(tasks: Tasks, task: Task, lifted: Lifted) {
    this.#tasks = tasks;
    this.#task = task;
    this.#lifted = lifted;
  }

  begin(): void {
    const { codec, context, core, signature } = this.#lifted;
    const { instance, implicit } = this.#task;
    if (this.#task.needsExclusive) instance.exclusive = implicit;
    this.#task.addThread(implicit);
    instance.state.borrowing = this.#task;
    const args = this.#task.begin();
    const values = this.#task.isFused ? (args as readonly CoreValue[]) : codec.lowerParams(context, args);
    instance.state.borrowing = undefined;
    this.#call(core, { values, signature, returned: this.#returned });
  }

  readonly #returned = (value: unknown): void => {
    const { async, callback } = this.#lifted.plan.options;
    if (!async) this.#returnValue(value);
    else if (callback === undefined) this.#exit();
    else this.#next(value);
  };

  #call(
    core: CoreFunction,
    {
      values,
      signature,
      returned,
    }: {
      readonly values: readonly CoreValue[];
      readonly signature: CoreSignature;
      readonly returned: (value: unknown) => void;
    },
  ): void {
    const { implicit, instance } = this.#task;
    if (!implicit.canSuspend) {
      const value = core(...values);
      instance.state.throwIfOver();
      return returned(value);
    }
    const checked = (value: unknown): void => {
      instance.state.throwIfOver();
      returned(value);
    };
    this.#tasks.stacks.enter(implicit, { core, signature }, { values, returned: checked });
  }

  /** A function that is lifted without `async`. */
  #returnValue(value: unknown): void {
    const { live } = this.#tasks;
    const { codec, context, plan } = this.#lifted;
    const { state } = this.#task.instance;
    if (!this.#task.isFused) this.#task.return(codec.liftResult(context, value));
    else this.#task.return(value === undefined ? [] : [value]);
    if (plan.options.postReturn !== undefined) {
      state.mayLeave = false;
      const postReturn = live.core(plan.options.postReturn) as CoreFunction;
      if (value === undefined) postReturn();
      else postReturn(value as CoreValue);
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
    const { callback } = this.#lifted;
    if (callback === undefined) throw new TypeError("a function without a callback waits in one");
    const values = [code, index, payload];
    this.#call(callback, { values, signature: callbackSignature, returned: this.#returned });
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
