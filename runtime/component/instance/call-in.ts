import type { CanonicalContext } from "../abi/canonical-context.ts";
import type { ComponentState } from "../abi/component-state.ts";
import type { CoreValue } from "../abi/codec.ts";
import type { FunctionCodec } from "../abi/function-codec.ts";
import type { BorrowScope } from "../abi/handle-table.ts";
import { guestFaultOf } from "../guest-fault.ts";
import type { LiveInstance } from "./live-instance.ts";

type CoreFunction = (...values: readonly CoreValue[]) => unknown;

/**
 * Calls a function of a component (`canon lift`, CanonicalABI.md): the arguments are lowered, its core function is run, the result
 * is lifted, and what the guest has to clean up after it is cleaned up. For functions that never wait.
 * @throws GuestFault
 */
export function callInNow(live: LiveInstance, lift: number, args: readonly unknown[]): unknown {
  const entry = enter(live, lift);
  const scope: BorrowScope = { borrows: 0 };
  try {
    return finish(entry, scope, entry.core(...lowerParams(entry, scope, args)));
  } catch (error) {
    throw live.ended(error);
  }
}

/** As `callInNow`, for functions that may have to wait. @throws GuestFault */
export async function callIn(live: LiveInstance, lift: number, args: readonly unknown[]): Promise<unknown> {
  const entry = enter(live, lift);
  const scope: BorrowScope = { borrows: 0 };
  const { turn } = live;
  try {
    entry.promising ??= WebAssembly.promising(entry.core);
    const returned = await entry.promising(...lowerParams(entry, scope, args));
    turn?.begin();
    return finish(entry, scope, returned);
  } catch (error) {
    // Meanwhile another may have its turn, which has not failed.
    throw turn === live.turn ? live.ended(error) : guestFaultOf(error, "the guest failed");
  }
}

/** A function of a component as one live instance has it: all that is the same at each call. */
export interface LiftedFunction {
  readonly codec: FunctionCodec;
  readonly state: ComponentState;
  readonly context: CanonicalContext;
  readonly core: CoreFunction;
  readonly postReturn: CoreFunction | undefined;
  /** `core`, entered so that what it calls may wait; made when it is first called so. */
  promising: CoreFunction | undefined;
}

export function liftedFunction(live: LiveInstance, lift: number): LiftedFunction {
  const plan = live.component.plan.lifts[lift];
  if (plan === undefined) throw new RangeError(`the plan has no lift ${lift}`);
  const { postReturn } = plan.options;
  return {
    codec: live.component.codec(plan.type),
    state: live.state(plan.instance),
    context: live.context(plan.instance, plan.options),
    core: live.core(plan.core) as CoreFunction,
    postReturn: postReturn && (live.core(postReturn) as CoreFunction),
    promising: undefined,
  };
}

function enter(live: LiveInstance, lift: number): LiftedFunction {
  if (live.guest.fault !== undefined) throw live.guest.fault;
  const entry = live.lifted(lift);
  if (entry.state.entered) entry.state.trap("a component was entered while a call is in it");
  entry.state.entered = true;
  return entry;
}

function lowerParams(
  { codec, state, context }: LiftedFunction,
  scope: BorrowScope,
  args: readonly unknown[],
): readonly CoreValue[] {
  state.borrowing = scope;
  const values = codec.lowerParams(context, args);
  state.borrowing = undefined;
  return values;
}

function finish({ codec, state, context, postReturn }: LiftedFunction, scope: BorrowScope, returned: unknown): unknown {
  state.throwIfOver();
  const result = codec.liftResult(context, returned);
  if (scope.borrows > 0) state.trap("a call ended while the guest still holds what it was lent");
  if (postReturn !== undefined) {
    state.mayLeave = false;
    if (returned === undefined) postReturn();
    else postReturn(returned as CoreValue);
    state.throwIfOver();
    state.mayLeave = true;
  }
  state.entered = false;
  return result;
}
