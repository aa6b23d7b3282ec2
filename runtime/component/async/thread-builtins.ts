import { unreachable } from "@shallop/sdk/internal";
import type { CoreValue } from "../abi/codec.ts";
import type { LiveInstance } from "../instance/live-instance.ts";
import type { BuiltinOf, BuiltinPlan } from "../link/link-plan.ts";
import type { CoreFunction } from "./builtins.ts";
import type { InstanceTasks } from "./instance-tasks.ts";
import type { Tasks } from "./tasks.ts";
import type { Thread } from "./thread.ts";

type ThreadPlan = BuiltinOf<Extract<BuiltinPlan["op"], `thread.${string}`>>;

/** Built-ins of threads, which run in turns (CanonicalABI.md, "canon thread.index" and its like). */
export function threadBuiltin(live: LiveInstance, tasks: Tasks, plan: ThreadPlan): CoreFunction {
  const instance = tasks.instances[plan.instance] as InstanceTasks;
  switch (plan.op) {
    case "thread.index":
      return () => tasks.current.index;
    case "thread.new-indirect":
      return (index, value) => newThread(live, tasks, { plan, index: Number(index) >>> 0, value: value ?? 0 });
    case "thread.resume-later":
      return (index) => {
        parkedAt(instance, Number(index) >>> 0).unpark();
        return undefined;
      };
    case "thread.yield":
      return () => lookAway(tasks, plan, undefined);
    case "thread.suspend":
      return () => lookAway(tasks, plan, undefined);
    case "thread.suspend-then-resume":
    case "thread.yield-then-resume":
      return (index) => lookAway(tasks, plan, parkedAt(instance, Number(index) >>> 0));
    case "thread.suspend-then-promote":
    case "thread.yield-then-promote":
      return (index) => {
        const other = threadAt(instance, Number(index) >>> 0);
        return lookAway(tasks, plan, other.isReady ? other : undefined);
      };
    default:
      return unreachable(plan);
  }
}

/** The running thread lets others run: `next`, or whoever is ready. One that yields is ready itself. */
function lookAway(
  tasks: Tasks,
  { op, cancellable }: { readonly op: string; readonly cancellable: boolean },
  next: Thread | undefined,
): CoreValue | undefined {
  const isYield = op.startsWith("thread.yield");
  return tasks.block({
    isReady: () => isYield,
    isCancellable: cancellable,
    isYield,
    isParked: !isYield,
    finish: (isCancelled) => (isCancelled ? 1 : 0),
    ...(next === undefined ? {} : { next }),
  });
}

/** The thread is parked: its function is not called before another lets it go on. */
function newThread(
  live: LiveInstance,
  tasks: Tasks,
  {
    plan,
    index,
    value,
  }: { readonly plan: BuiltinOf<"thread.new-indirect">; readonly index: number; readonly value: CoreValue },
): number {
  const state = live.state(plan.instance);
  const table = live.core(plan.table) as WebAssembly.Table;
  const core = index < table.length ? table.get(index) : undefined;
  if (typeof core !== "function") return state.trap(`there is no function ${index} in the table`);
  const { task } = tasks.current;
  const thread = task.makeThread();
  const returned = (): void => {
    state.throwIfOver();
    task.endThread(thread);
    thread.endTurn();
  };
  thread.waiting = {
    isReady: () => false,
    isCancellable: false,
    isParked: true,
    resume: () => {
      const entry = { core: core as CoreFunction, signature: { params: ["i32"], result: undefined } } as const;
      tasks.stacks.enter(thread, entry, { values: [value], returned });
    },
  };
  return thread.index;
}

function threadAt(instance: InstanceTasks, index: number): Thread {
  // The table holds threads only.
  return instance.threads.item(index) as Thread;
}

function parkedAt(instance: InstanceTasks, index: number): Thread {
  const thread = threadAt(instance, index);
  return thread.isParked ? thread : instance.state.trap(`thread ${index} waits for something else, or runs`);
}
