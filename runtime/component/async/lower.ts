import type { CanonicalContext } from "../abi/canonical-context.ts";
import type { CoreValue } from "../abi/codec.ts";
import type { FunctionCodec } from "../abi/function-codec.ts";
import { cancelOf } from "../abi/stream.ts";
import { type FusedHalves, fusedHalves } from "../fuse/fused-halves.ts";
import { guestWatch } from "../instance/guest-watch.ts";
import type { LiveInstance } from "../instance/live-instance.ts";
import type { BuiltinOf } from "../link/link-plan.ts";
import { type HostAccess, hostAccess } from "./host-access.ts";
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
      lowering ??= loweringOf(live, tasks, plan);
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
  readonly target: HostTarget | GuestTarget;
}

type HostTarget = HostAccess & { readonly kind: "host" };

interface GuestTarget {
  readonly kind: "guest";
  /** Index into `LinkPlan.lifts`. */
  readonly lift: number;
  readonly halves: FusedHalves;
}

function loweringOf(live: LiveInstance, tasks: Tasks, plan: LowerPlan): Lowering {
  const context = live.context(plan.instance, plan.options);
  const codec = live.component.codec(plan.type, plan.options.async);
  return { live, tasks, plan, context, codec, target: targetOf(live, plan, { context, codec }) };
}

function targetOf(
  live: LiveInstance,
  plan: LowerPlan,
  { context, codec }: Pick<Lowering, "context" | "codec">,
): Lowering["target"] {
  const { callee } = plan;
  if (callee.kind === "host") return { kind: "host", ...hostAccess(live, plan, { host: callee.host, context, codec }) };
  const fused = live.component.fused.get(plan);
  if (fused === undefined) throw new TypeError("a call of another component is not compiled");
  return { kind: "guest", lift: callee.lift, halves: fusedHalves(live, fused) };
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
    const { target } = this.#lowering;
    return target.kind === "host" ? this.#callHost(target) : this.#callGuest(target);
  }

  #callGuest({ lift, halves }: GuestTarget): CoreValue | undefined {
    const { tasks } = this.#lowering;
    const caller = tasks.current;
    const subtask = this.#subtask;
    let task: Task | undefined;
    subtask.cancel = (from, over) => (task === undefined ? over() : tasks.cancel(task, from, over));
    const begin = (over: () => void): void => {
      task = tasks.enter({
        lift,
        caller: caller.instance,
        isFused: true,
        started: () => {
          const args = subtask.lending(() => halves.params(this.#values));
          subtask.moveTo(subtaskStates.started);
          return args;
        },
        resolved: (resolution) => {
          if (resolution !== undefined) {
            this.#result = halves.result(resolution.result as readonly CoreValue[], this.#values);
            return subtask.moveTo(subtaskStates.returned);
          }
          const isStarted = subtask.state === subtaskStates.started;
          subtask.moveTo(isStarted ? subtaskStates.cancelledBeforeReturned : subtaskStates.cancelledBeforeStarted);
        },
        over,
      });
    };
    return tasks.hold(begin, () => this.#answer());
  }

  #callHost(host: HostTarget): CoreValue | undefined {
    const { live, tasks, plan } = this.#lowering;
    const answer = this.#subtask.lending(() => host.call(this.#values));
    this.#subtask.moveTo(subtaskStates.started);
    if (!(answer instanceof Promise)) {
      this.#resolveBy(host, answer);
      return this.#answer();
    }
    if (!plan.type.async) {
      return tasks.holdFor(answer, (value) => {
        this.#resolveBy(host, value);
        return this.#answer();
      });
    }
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
          if (!subtask.isResolved) this.#resolveBy(host, value);
          else (value as Partial<Disposable> | undefined)?.[Symbol.dispose]?.();
        }),
      (error: unknown) => {
        tasks.hostCalls--;
        if (!subtask.isResolved) tasks.failed(error);
      },
    );
    return this.#answer();
  }

  #resolveBy(host: HostAccess, result: unknown): void {
    this.#result = host.lowerResult(result, this.#values);
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
