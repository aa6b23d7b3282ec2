import type { CanonicalContext } from "../abi/canonical-context.ts";
import type { ComponentState } from "../abi/component-state.ts";
import type { CoreValue } from "../abi/codec.ts";
import type { FunctionCodec } from "../abi/function-codec.ts";
import type { BorrowScope } from "../abi/handle-table.ts";
import type { LiftPlan } from "../link/link-plan.ts";
import type { LiveInstance } from "./live-instance.ts";

type CoreFunction = (...values: readonly CoreValue[]) => unknown;

/**
 * Calls a function of a component (`canon lift`, CanonicalABI.md): the arguments are lowered, its core function is run, the result
 * is lifted, and what the guest has to clean up after it is cleaned up. For functions that never wait.
 * @throws GuestFault
 */
export function callInNow(live: LiveInstance, lift: number, args: readonly unknown[]): unknown {
  const call = begin(live, lift);
  try {
    const core = live.core(call.plan.core) as CoreFunction;
    return finish(live, call, core(...lowerParams(call, args)));
  } catch (error) {
    throw live.ended(error);
  }
}

/** As `callInNow`, for functions that may have to wait. @throws GuestFault */
export async function callIn(live: LiveInstance, lift: number, args: readonly unknown[]): Promise<unknown> {
  const call = begin(live, lift);
  try {
    const core = live.promising(lift, call.plan.core);
    return finish(live, call, await core(...lowerParams(call, args)));
  } catch (error) {
    throw live.ended(error);
  }
}

interface Call {
  readonly plan: LiftPlan;
  readonly codec: FunctionCodec;
  readonly state: ComponentState;
  readonly context: CanonicalContext;
  readonly scope: BorrowScope;
}

function begin(live: LiveInstance, lift: number): Call {
  if (live.guest.fault !== undefined) throw live.guest.fault;
  const plan = live.component.plan.lifts[lift];
  if (plan === undefined) throw new RangeError(`the plan has no lift ${lift}`);
  const state = live.state(plan.instance);
  if (state.entered) state.trap("a component was entered while a call is in it");
  state.entered = true;
  const codec = live.component.codec(plan.type);
  return { plan, codec, state, context: live.context(plan.instance, plan.options), scope: { borrows: 0 } };
}

function lowerParams({ codec, state, context, scope }: Call, args: readonly unknown[]): readonly CoreValue[] {
  state.borrowing = scope;
  const values = codec.lowerParams(context, args);
  state.borrowing = undefined;
  return values;
}

function finish(live: LiveInstance, { plan, codec, state, context, scope }: Call, returned: unknown): unknown {
  state.throwIfOver();
  const result = codec.liftResult(context, returned);
  if (scope.borrows > 0) state.trap("a call ended while the guest still holds what it was lent");
  if (plan.options.postReturn !== undefined) {
    state.mayLeave = false;
    const postReturn = live.core(plan.options.postReturn) as CoreFunction;
    if (returned === undefined) postReturn();
    else postReturn(returned as CoreValue);
    state.throwIfOver();
    state.mayLeave = true;
  }
  state.entered = false;
  return result;
}
