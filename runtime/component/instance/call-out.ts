import type { CoreValue } from "../abi/codec.ts";
import type { FunctionCodec, LiftingCall } from "../abi/function-codec.ts";
import type { Callee } from "../link/link-plan.ts";
import { guestWatch } from "./guest-watch.ts";
import type { CoreFunction } from "./calling-guest.ts";
import type { LoweredCall } from "./linked-component.ts";
import type { LiveInstance } from "./live-instance.ts";

type LoweredFunction = (...values: readonly CoreValue[]) => CoreValue | undefined;

/**
 * The core function by which a guest calls out (`canon lower`, CanonicalABI.md). WASI's functions are there as core functions.
 * For any other the arguments are lifted, the host is called, and the result is lowered; that is put
 * together when it is first called: most of what a guest imports it never calls. Where the answer has to be waited for the
 * function says so to the shim, and what it returns is of no meaning.
 */
export function lowerCall(live: LiveInstance, call: LoweredCall): CoreFunction {
  const hostCall = live.component.hostCall(call.plan);
  if (hostCall !== undefined) return live.hostFunction(hostCall, call.plan);
  let run: LoweredFunction = (...values) => {
    try {
      run = linkedCall(live, call);
    } catch (error) {
      throw live.ended(error);
    }
    return run(...values);
  };
  return (...values) => run(...values);
}

function linkedCall(live: LiveInstance, { plan, shim }: LoweredCall): LoweredFunction {
  const state = live.state(plan.instance);
  const context = live.context(plan.instance, plan.options);
  const codec = live.component.codec(plan.type);
  const invoke = invocation(live, plan.callee, codec);
  return (...values) => {
    state.checkCallOut();
    const verdict = guestWatch.verdict();
    if (verdict !== undefined) state.fail(verdict);
    const { lentCount } = state;
    try {
      const answer = invoke(context, values);
      if (answer instanceof Promise) {
        if (shim === undefined) {
          // Nobody waits for the answer, and nobody is to be told how it ended.
          answer.catch(() => undefined);
          state.trap("the host has to wait in a call that cannot wait");
        }
        const finish = (late: unknown): CoreValue | undefined => {
          state.takeBack(lentCount);
          return codec.lowerResult(context, late, values);
        };
        live.waits.suspend({ answer, finish });
        return codec.lowered.result === "i64" ? 0n : 0;
      }
      state.takeBack(lentCount);
      return codec.lowerResult(context, answer, values);
    } catch (error) {
      throw live.ended(error);
    }
  };
}

/** @throws GuestFault when a component asks the host for what it has not */
function invocation(live: LiveInstance, callee: Callee, codec: FunctionCodec): LiftingCall {
  if (callee.kind !== "host") throw new TypeError("a call of another component goes through no codecs");
  const call = codec.lifting(live.host.callable(callee.host));
  return (context, values) => {
    guestWatch.inHost = true;
    try {
      return call(context, values);
    } finally {
      guestWatch.inHost = false;
    }
  };
}
