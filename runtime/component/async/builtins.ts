import { unreachable } from "@shallop/sdk/internal";
import type { CoreValue } from "../abi/codec.ts";
import type { LiveInstance, ResourceBuiltinPlan } from "../instance/live-instance.ts";
import { resourceBuiltin } from "../instance/resource-builtins.ts";
import type { BuiltinPlan } from "../link/link-plan.ts";
import { errorContextBuiltin } from "./error-context-builtins.ts";
import { lowerAsync } from "./lower.ts";
import { taskBuiltin } from "./task-builtins.ts";
import type { Tasks } from "./tasks.ts";
import { threadBuiltin } from "./thread-builtins.ts";
import { transferBuiltin } from "./transfer-builtins.ts";
import { waitableBuiltin } from "./waitable-builtins.ts";

export type CoreFunction = (...values: readonly CoreValue[]) => CoreValue | void;

/** A core function that the linker makes for an asynchronous component. */
export function asyncBuiltin(live: LiveInstance, tasks: Tasks, plan: BuiltinPlan): CoreFunction {
  switch (plan.op) {
    case "lower": {
      const hostCall = live.component.hostCall(plan);
      if (hostCall !== undefined) return live.hostFunction(hostCall, plan);
      return lowerAsync(live, tasks, plan);
    }
    case "resource.new":
    case "resource.rep":
    case "resource.drop":
      return resourceBuiltin(live, plan satisfies ResourceBuiltinPlan) as CoreFunction;
    case "context.get":
    case "context.set":
    case "backpressure.inc":
    case "backpressure.dec":
    case "backpressure.set":
    case "task.return":
    case "task.cancel":
      return guarded(live, plan, taskBuiltin(live, tasks, plan));
    case "thread.index":
    case "thread.new-indirect":
    case "thread.resume-later":
    case "thread.yield":
    case "thread.suspend":
    case "thread.suspend-then-resume":
    case "thread.yield-then-resume":
    case "thread.suspend-then-promote":
    case "thread.yield-then-promote":
      return guarded(live, plan, threadBuiltin(live, tasks, plan));
    case "subtask.cancel":
    case "subtask.drop":
    case "waitable-set.new":
    case "waitable-set.wait":
    case "waitable-set.poll":
    case "waitable-set.drop":
    case "waitable.join":
      return guarded(live, plan, waitableBuiltin(live, tasks, plan));
    case "stream.new":
    case "stream.read":
    case "stream.write":
    case "stream.cancel-read":
    case "stream.cancel-write":
    case "stream.drop-readable":
    case "stream.drop-writable":
    case "future.new":
    case "future.read":
    case "future.write":
    case "future.cancel-read":
    case "future.cancel-write":
    case "future.drop-readable":
    case "future.drop-writable":
      return guarded(live, plan, transferBuiltin(live, tasks, plan));
    case "error-context.new":
    case "error-context.debug-message":
    case "error-context.drop":
      return guarded(live, plan, errorContextBuiltin(live, plan));
    default:
      return unreachable(plan);
  }
}

/** Slots may be read and set, and backpressure asked for, at any time (CanonicalABI.md, "canon context.get" and the next). */
const anyTime: ReadonlySet<BuiltinPlan["op"]> = new Set<BuiltinPlan["op"]>([
  "context.get",
  "context.set",
  "backpressure.inc",
  "backpressure.dec",
  "backpressure.set",
]);

function guarded(live: LiveInstance, { op, instance }: BuiltinPlan, run: CoreFunction): CoreFunction {
  const state = live.state(instance);
  const isAnyTime = anyTime.has(op);
  return (...values) => {
    if (isAnyTime) state.throwIfOver();
    else state.checkCallOut();
    try {
      return run(...values);
    } catch (error) {
      throw live.ended(error);
    }
  };
}
