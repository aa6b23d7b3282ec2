import type { CanonicalContext } from "../abi/canonical-context.ts";
import type { CoreValue } from "../abi/codec.ts";
import type { FunctionCodec } from "../abi/function-codec.ts";
import { callIn, callInNow } from "./call-in.ts";
import { guestWatch } from "./guest-watch.ts";
import type { LoweredCall } from "./linked-component.ts";
import type { LiveInstance } from "./live-instance.ts";

/** A call out of a guest whose answer is not there. */
export interface PendingCall {
  /** Waits for the answer, and gives the core function's own result. @throws GuestFault, and ends the guest with it */
  settle(): Promise<CoreValue | undefined>;
}

type LoweredFunction = (...values: readonly CoreValue[]) => CoreValue | undefined;

/**
 * The core function by which a guest calls out (`canon lower`, CanonicalABI.md): the arguments are lifted, the host or another
 * component is called, the result is lowered. Where the answer has to be waited for it says so to the shim, and what it
 * returns is of no meaning.
 */
export function lowerCall(live: LiveInstance, { plan, shim }: LoweredCall): LoweredFunction {
  const state = live.state(plan.instance);
  const { callee } = plan;
  let context: CanonicalContext | undefined;
  let codec: FunctionCodec | undefined;
  const call = (args: readonly unknown[]): unknown => {
    if (callee.kind === "host") {
      guestWatch.inHost = true;
      try {
        return live.host.function(callee.host)(args);
      } finally {
        guestWatch.inHost = false;
      }
    }
    return shim === undefined ? callInNow(live, callee.lift, args) : callIn(live, callee.lift, args);
  };
  return (...values) => {
    state.throwIfOver();
    if (!state.mayLeave) state.trap("the guest called out while it must not: in realloc or in a post-return function");
    const verdict = guestWatch.verdict();
    if (verdict !== undefined) state.fail(verdict);
    const lentCount = state.lentCount;
    try {
      // Made when it is first called: most of what a guest imports it never calls.
      const into = (context ??= live.context(plan.instance, plan.options));
      const by = (codec ??= live.component.codec(plan.type));
      const answer = call(by.liftParams(into, values));
      if (answer instanceof Promise) {
        // Where the guest cannot be suspended nobody waits for the answer, and nobody is to be told how it ended.
        answer.catch(() => undefined);
        if (shim === undefined) state.trap("the host has to wait in a call that cannot wait");
        const settle = async (): Promise<CoreValue | undefined> => {
          try {
            const late: unknown = await answer;
            // It may have ended while this call was waited for.
            state.throwIfOver();
            state.takeBack(lentCount);
            return by.lowerResult(into, late, values);
          } catch (error) {
            throw live.ended(error);
          }
        };
        live.suspend({ settle });
        return by.lowered.result === "i64" ? 0n : 0;
      }
      state.takeBack(lentCount);
      return by.lowerResult(into, answer, values);
    } catch (error) {
      throw live.ended(error);
    }
  };
}
