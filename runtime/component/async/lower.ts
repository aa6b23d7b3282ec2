import type { CanonicalContext } from "../abi/canonical-context.ts";
import type { CoreValue } from "../abi/codec.ts";
import type { FunctionCodec } from "../abi/function-codec.ts";
import { cancelOf } from "../abi/stream.ts";
import { guestWatch, inHost } from "../instance/guest-watch.ts";
import type { LiveInstance } from "../instance/live-instance.ts";
import type { BuiltinOf } from "../link/link-plan.ts";
import { Subtask, subtaskStates } from "./subtask.ts";
import type { Task } from "./task.ts";
import type { Tasks } from "./tasks.ts";

type LowerPlan = BuiltinOf<"lower">;
type CoreFunction = (...values: readonly CoreValue[]) => CoreValue | undefined;

/** A function of an asynchronous component by which it calls out (CanonicalABI.md, "canon lower"). */
export function lowerAsync(live: LiveInstance, tasks: Tasks, plan: LowerPlan): CoreFunction {
  const state = live.state(plan.instance);
  let lowering: Lowering | undefined;
  return (...values) => {
    state.checkCallOut();
    const verdict = guestWatch.verdict();
    if (verdict !== undefined) state.fail(verdict);
    try {
      // Made when it is first called: most of what a guest imports it never calls.
      lowering ??= {
        live,
        tasks,
        plan,
        context: live.context(plan.instance, plan.options),
        codec: live.component.codec(plan.type, plan.options.async),
      };
      const answer = new LoweredCall(lowering, values).begin();
      return answer ?? (lowering.codec.lowered.result === "i64" ? 0n : 0);
    } catch (error) {
      throw live.ended(error);
    }
  };
}

interface Lowering {
  readonly live: LiveInstance;
  readonly tasks: Tasks;
  readonly plan: LowerPlan;
  readonly context: CanonicalContext;
  readonly codec: FunctionCodec;
}

class LoweredCall {
  readonly #lowering: Lowering;
  readonly #values: readonly CoreValue[];
  readonly #subtask: Subtask;
  /** The core result of a call that is not async. */
  #result: CoreValue | undefined;

  constructor(lowering: Lowering, values: readonly CoreValue[]) {
    this.#lowering = lowering;
    this.#values = values;
    this.#subtask = new Subtask(lowering.context.state);
  }

  begin(): CoreValue | undefined {
    const { callee } = this.#lowering.plan;
    return callee.kind === "lift" ? this.#callGuest(callee.lift) : this.#callHost(callee.host);
  }

  #callGuest(lift: number): CoreValue | undefined {
    const { tasks } = this.#lowering;
    const caller = tasks.current;
    const subtask = this.#subtask;
    let task: Task | undefined;
    subtask.cancel = (from, over) => (task === undefined ? over() : tasks.cancel(task, from, over));
    const begin = (over: () => void): void => {
      task = tasks.enter({
        lift,
        caller: caller.instance,
        started: () => this.#lift(),
        resolved: (resolution) => {
          if (resolution !== undefined) return this.#resolve(resolution.result);
          const isStarted = subtask.state === subtaskStates.started;
          subtask.moveTo(isStarted ? subtaskStates.cancelledBeforeReturned : subtaskStates.cancelledBeforeStarted);
        },
        over,
      });
    };
    return tasks.hold(begin, () => this.#answer());
  }

  #callHost(host: number): CoreValue | undefined {
    const { live, tasks, plan } = this.#lowering;
    const args = this.#lift();
    const answer = inHost(() => live.host.callable(host)(...args));
    if (!(answer instanceof Promise)) {
      this.#resolve(answer);
      return this.#answer();
    }
    if (!plan.type.async) return this.#holdFor(answer);
    tasks.hostCalls++;
    const subtask = this.#subtask;
    const cancel = cancelOf(answer);
    subtask.cancel = (_, over) => {
      if (cancel !== undefined) {
        cancel();
        subtask.moveTo(subtaskStates.cancelledBeforeReturned);
      }
      over();
    };
    answer.then(
      (value: unknown) =>
        live.guest.post(() => {
          tasks.hostCalls--;
          if (!subtask.isResolved) this.#resolve(value);
          else (value as Partial<Disposable> | undefined)?.[Symbol.dispose]?.();
        }),
      (error: unknown) => {
        tasks.hostCalls--;
        if (!subtask.isResolved) tasks.failed(error);
      },
    );
    return this.#answer();
  }

  /** A function of the host that is not async and has to wait: all of the guest waits with it. */
  #holdFor(answer: Promise<unknown>): CoreValue | undefined {
    const { live, tasks } = this.#lowering;
    let value: unknown;
    const begin = (over: () => void): void => {
      live.running?.(false);
      answer.then(
        (late) => {
          live.running?.(true);
          value = late;
          over();
        },
        (error: unknown) => tasks.failed(error),
      );
    };
    return tasks.hold(begin, () => {
      this.#resolve(value);
      return this.#answer();
    });
  }

  #lift(): readonly unknown[] {
    const { codec, context } = this.#lowering;
    const args = this.#subtask.lending(() => codec.liftParams(context, this.#values));
    this.#subtask.moveTo(subtaskStates.started);
    return args;
  }

  #resolve(result: unknown): void {
    const { codec, context } = this.#lowering;
    this.#result = codec.lowerResult(context, result, this.#values);
    this.#subtask.moveTo(subtaskStates.returned);
  }

  /** What the guest is told of the call as far as it has come. */
  #answer(): CoreValue | undefined {
    const { plan, context, tasks } = this.#lowering;
    const subtask = this.#subtask;
    if (subtask.isResolved) {
      subtask.deliver();
      return plan.options.async ? subtaskStates.returned : this.#result;
    }
    if (plan.options.async) {
      subtask.index = context.state.handles.add(subtask);
      return subtask.state | (subtask.index << 4);
    }
    subtask.waiter = tasks.current;
    return tasks.block({
      isReady: () => subtask.isResolved,
      finish: () => {
        subtask.deliver();
        return this.#result;
      },
    });
  }
}
