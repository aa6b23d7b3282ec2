import { unreachable } from "@shallop/sdk/internal";
import type { CanonicalContext } from "../abi/canonical-context.ts";
import type { ComponentState } from "../abi/component-state.ts";
import { cancelEvent, type GuestEvent, noEvent, Waitable, WaitableSet } from "../abi/waitable.ts";
import type { LiveInstance } from "../instance/live-instance.ts";
import type { BuiltinOf } from "../link/link-plan.ts";
import type { CoreFunction } from "./builtins.ts";
import type { InstanceTasks } from "./instance-tasks.ts";
import { Subtask } from "./subtask.ts";
import type { Tasks } from "./tasks.ts";

type WaitablePlan = BuiltinOf<
  | "subtask.cancel"
  | "subtask.drop"
  | "waitable-set.new"
  | "waitable-set.wait"
  | "waitable-set.poll"
  | "waitable-set.drop"
  | "waitable.join"
>;

/** CanonicalABI.md, "BLOCKED". */
export const blocked = -1;

/** Built-ins of what a guest can wait for (CanonicalABI.md, "canon waitable-set.new" and its like). */
export function waitableBuiltin(live: LiveInstance, tasks: Tasks, plan: WaitablePlan): CoreFunction {
  const state = live.state(plan.instance);
  switch (plan.op) {
    case "subtask.cancel":
      return (index) => cancelSubtask(tasks, subtaskAt(state, Number(index) >>> 0), plan);
    case "subtask.drop":
      return (value) => {
        const index = Number(value) >>> 0;
        const subtask = subtaskAt(state, index);
        if (!subtask.isDelivered) state.trap(`subtask ${index} was dropped before the guest knew of its end`);
        subtask.join(undefined);
        state.handles.free(index);
        return undefined;
      };
    case "waitable-set.new":
      return () => state.handles.add(new WaitableSet());
    case "waitable-set.wait":
      return waitFor(live, tasks, plan);
    case "waitable-set.poll": {
      const memory = memoryOf(live, plan);
      return (index, pointer) => {
        const set = setAt(state, Number(index) >>> 0);
        const isCancelled = plan.cancellable && tasks.current.task.takeCancel();
        const event = isCancelled ? cancelEvent : set.hasEvent ? set.takeEvent() : noEvent;
        return storeEvent(memory(), event, Number(pointer) >>> 0);
      };
    }
    case "waitable-set.drop":
      return (value) => {
        const index = Number(value) >>> 0;
        const set = setAt(state, index);
        if (set.elements.size > 0) state.trap(`waitable set ${index} was dropped with something in it`);
        if (set.waiters.size > 0) state.trap(`waitable set ${index} was dropped while it is waited for`);
        state.handles.free(index);
        return undefined;
      };
    case "waitable.join":
      return (index, set) => {
        const waitable = state.handles.item(Number(index) >>> 0);
        if (!(waitable instanceof Waitable)) return state.trap(`handle ${String(index)} is nothing to wait for`);
        if (waitable.waiter !== undefined) state.trap("what a call waits for was put into a waitable set");
        waitable.join(set === 0 ? undefined : setAt(state, Number(set) >>> 0));
        return undefined;
      };
    default:
      return unreachable(plan);
  }
}

/** A built-in that is not async waits for the event of one thing. */
export function waitForEvent(tasks: Tasks, waitable: Waitable): number | undefined {
  waitable.waiter = tasks.current;
  return tasks.block({
    isReady: () => waitable.hasEvent,
    finish: () => {
      waitable.waiter = undefined;
      return waitable.takeEvent().payload | 0;
    },
  }) as number | undefined;
}

function waitFor(live: LiveInstance, tasks: Tasks, plan: BuiltinOf<"waitable-set.wait">): CoreFunction {
  const state = live.state(plan.instance);
  const memory = memoryOf(live, plan);
  return (index, pointer) => {
    const set = setAt(state, Number(index) >>> 0);
    const thread = tasks.current;
    set.waiters.add(thread);
    return tasks.block({
      isReady: () => set.hasEvent,
      isCancellable: plan.cancellable,
      finish(isCancelled) {
        set.waiters.delete(thread);
        const event = isCancelled ? cancelEvent : set.takeEvent();
        return storeEvent(memory(), event, Number(pointer) >>> 0);
      },
    });
  };
}

function cancelSubtask(
  tasks: Tasks,
  subtask: Subtask,
  { async, instance }: BuiltinOf<"subtask.cancel">,
): number | undefined {
  const caller = tasks.instances[instance] as InstanceTasks;
  const { state } = caller;
  if (subtask.isDelivered) state.trap("a subtask was cancelled that the guest knows has ended");
  if (subtask.isCancelRequested) state.trap("a subtask was cancelled twice");
  if (subtask.isInSet && !async) state.trap("a subtask in a waitable set was cancelled by a call that waits");
  if (subtask.isResolved) return subtask.takeEvent().payload;
  subtask.isCancelRequested = true;
  const finish = (): number | undefined => {
    if (subtask.isResolved) return subtask.takeEvent().payload;
    return async ? blocked : waitForEvent(tasks, subtask);
  };
  const { cancel } = subtask;
  if (cancel === undefined) return finish();
  return tasks.hold((over) => cancel(caller, over), finish) as number | undefined;
}

function subtaskAt(state: ComponentState, index: number): Subtask {
  const item = state.handles.item(index);
  return item instanceof Subtask ? item : state.trap(`handle ${index} is no subtask`);
}

function setAt(state: ComponentState, index: number): WaitableSet {
  const item = state.handles.item(index);
  return item instanceof WaitableSet ? item : state.trap(`handle ${index} is no waitable set`);
}

/** Found when it is first needed: it may be that of a core module that is not there yet. */
function memoryOf(
  live: LiveInstance,
  { instance, memory }: BuiltinOf<"waitable-set.wait" | "waitable-set.poll">,
): () => CanonicalContext {
  let context: CanonicalContext | undefined;
  return () => (context ??= live.context(instance, { encoding: "utf8", async: false, memory }));
}

/** CanonicalABI.md, "unpack_event". */
function storeEvent(context: CanonicalContext, { code, index, payload }: GuestEvent, pointer: number): number {
  context.check(pointer, 8, 4);
  context.view.setUint32(pointer, index, true);
  context.view.setUint32(pointer + 4, payload, true);
  return code;
}
