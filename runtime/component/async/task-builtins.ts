import { unreachable } from "@shallop/sdk/internal";
import type { CanonicalContext } from "../abi/canonical-context.ts";
import type { FunctionCodec } from "../abi/function-codec.ts";
import type { LiveInstance } from "../instance/live-instance.ts";
import type { BuiltinOf, CanonicalOptions } from "../link/link-plan.ts";
import type { CoreFunction } from "./builtins.ts";
import type { InstanceTasks } from "./instance-tasks.ts";
import type { Tasks } from "./tasks.ts";

type TaskPlan = BuiltinOf<
  | "context.get"
  | "context.set"
  | "backpressure.inc"
  | "backpressure.dec"
  | "backpressure.set"
  | "task.return"
  | "task.cancel"
>;

/** CanonicalABI.md, "canon backpressure.{inc,dec}": a counter of 16 bits. */
const backpressureMax = 2 ** 16;
/** CanonicalABI.md, "Thread.storage". */
const slots = 2;

/** Built-ins of the task that runs (CanonicalABI.md, "canon task.return" and its like). */
export function taskBuiltin(live: LiveInstance, tasks: Tasks, plan: TaskPlan): CoreFunction {
  const state = live.state(plan.instance);
  const instance = tasks.instances[plan.instance] as InstanceTasks;
  switch (plan.op) {
    case "context.get":
      return () => tasks.current.storage[plan.slot];
    case "context.set":
      if (plan.slot >= slots) throw new RangeError(`there is no context slot ${plan.slot}`);
      return (value) => void (tasks.current.storage[plan.slot] = Number(value));
    case "backpressure.inc":
      return () => {
        if (++instance.backpressure === backpressureMax) state.trap("backpressure was asked for too often");
        return undefined;
      };
    case "backpressure.dec":
      return () => {
        if (--instance.backpressure < 0) state.trap("backpressure was taken back that nobody had asked for");
        instance.changed();
        return undefined;
      };
    case "backpressure.set":
      return (isOn) => {
        instance.backpressure = isOn === 0 ? 0 : 1;
        instance.changed();
        return undefined;
      };
    case "task.return":
      return returnResult(live, tasks, plan);
    case "task.cancel":
      return () => {
        const { task } = tasks.current;
        if (!task.plan.options.async) state.trap("task.cancel was called by a function that is not lifted async");
        task.cancel();
        return undefined;
      };
    default:
      return unreachable(plan);
  }
}

function returnResult(
  live: LiveInstance,
  tasks: Tasks,
  { result, options, instance }: BuiltinOf<"task.return">,
): CoreFunction {
  const state = live.state(instance);
  // Made when it is first called; a component has many of these and calls few.
  let lifting: { readonly codec: FunctionCodec; readonly context: CanonicalContext } | undefined;
  const ended = new Set<CanonicalOptions>();
  return (...values) => {
    const { task } = tasks.current;
    const { type, options: own } = task.plan;
    if (!own.async) state.trap("task.return was called by a function that is not lifted async");
    if (type.result !== result) state.trap("task.return was called for a function of another type");
    if (!ended.has(own)) {
      if (!isSameLift(options, own)) state.trap("task.return has other options than the function that it ends");
      ended.add(own);
    }
    if (task.isFused) {
      task.return(values);
      return undefined;
    }
    lifting ??= {
      codec: live.component.codec({ params: [], async: true, ...(result === undefined ? {} : { result }) }),
      context: live.context(instance, options),
    };
    task.return(lifting.codec.liftReturned(lifting.context, values));
    return undefined;
  };
}

/** CanonicalABI.md, "LiftOptions.equal"; where no memory is needed none may be named, as in its test cross-abi-calls. */
const isSameLift = (a: CanonicalOptions, b: CanonicalOptions): boolean =>
  a.encoding === b.encoding && (a.memory === undefined || JSON.stringify(a.memory) === JSON.stringify(b.memory));
