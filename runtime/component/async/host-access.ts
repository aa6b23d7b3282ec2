import type { CanonicalContext } from "../abi/canonical-context.ts";
import type { CoreValue } from "../abi/codec.ts";
import type { FunctionCodec } from "../abi/function-codec.ts";
import { inHost } from "../instance/guest-watch.ts";
import type { LiveInstance } from "../instance/live-instance.ts";
import type { BuiltinOf } from "../link/link-plan.ts";

/** How an asynchronous component reaches one function of the host. */
export interface HostAccess {
  /** Lifts the arguments out of the call's core values, and calls the function. */
  readonly call: (values: readonly CoreValue[]) => unknown;
  /** Hands over what came of it; `values` are those of the call. @returns the call's own result, where that is one core value */
  readonly lowerResult: (result: unknown, values: readonly CoreValue[]) => CoreValue | undefined;
}

interface HostFunction {
  /** Of `LinkPlan.hostFunctions`. */
  readonly host: number;
  readonly context: CanonicalContext;
  readonly codec: FunctionCodec;
}

/** WASI's functions are there in parts, as core functions over the guest's memory; any other goes through codecs. */
export function hostAccess(
  live: LiveInstance,
  plan: BuiltinOf<"lower">,
  { host, context, codec }: HostFunction,
): HostAccess {
  const parts = live.asyncParts(plan);
  if (parts === undefined) {
    return {
      call: (values) => {
        const args = codec.liftParams(context, values);
        return inHost(() => live.host.callable(host)(...args));
      },
      lowerResult: (result, values) => codec.lowerResult(context, result, values),
    };
  }
  const { guest, call, load, finish, lower } = parts;
  const isInMemory = codec.paramsInMemory;
  return {
    call: (values) => {
      guest.enter(host);
      try {
        return isInMemory && load !== undefined ? load(Number(values[0])) : call(...values);
      } finally {
        guest.leave();
      }
    },
    lowerResult: (result, values) => {
      if (!codec.resultInMemory) return lower?.(result);
      finish?.(result, Number(values[values.length - 1]));
      return undefined;
    },
  };
}
