import type { CoreValue } from "../abi/codec.ts";
import type { LiveInstance } from "../instance/live-instance.ts";
import type { FusedCall } from "./fused-plan.ts";

/** How the values of one call between two asynchronous components pass. */
export interface FusedHalves {
  /** From the core values of the caller's call to those that the callee's function is called with. @throws GuestFault */
  readonly params: (values: readonly CoreValue[]) => readonly CoreValue[];
  /** From what the callee returned to the core value that the caller gets, or into its memory. @throws GuestFault */
  readonly result: (returned: readonly CoreValue[], values: readonly CoreValue[]) => CoreValue | undefined;
}

type Half = (...values: readonly CoreValue[]) => CoreValue | readonly CoreValue[] | undefined;

export function fusedHalves(live: LiveInstance, { group, index }: FusedCall): FusedHalves {
  const exports = live.fusedExports(group);
  const [params, result] = [exports[`params${index}`] as Half, exports[`result${index}`] as Half];
  const caller = live.context(group.caller.instance, group.caller.options);
  const callee = live.context(group.callee.instance, group.callee.options);
  const { type } = group.functions[index]?.lift ?? { type: undefined };
  return {
    params(values) {
      caller.beginLift();
      // Several results of a core function are a list of them.
      const passed = params(...values);
      if (passed === undefined) return [];
      return typeof passed === "object" ? passed : [passed];
    },
    result(returned, values) {
      if (type?.result === undefined) return undefined;
      callee.beginLift();
      // The place of a result is the last value of a call; a half that needs none takes no notice.
      const place = values.at(-1);
      const passed = place === undefined ? result(...returned) : result(...returned, place);
      return passed as CoreValue | undefined;
    },
  };
}
