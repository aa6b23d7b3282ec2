import type { CoreType } from "../abi/codec.ts";
import type { BuiltinOf, BuiltinPlan } from "../link/link-plan.ts";
import type { CoreSignature } from "../core-module/encode.ts";

/** Of the built-ins that may have to wait. */
export function blockingSignature(
  plan: BuiltinPlan,
  lowered: (plan: BuiltinOf<"lower">) => CoreSignature,
): CoreSignature {
  if (plan.op === "lower") return lowered(plan);
  return { params: Array.from({ length: paramCounts[plan.op] ?? 1 }, (): CoreType => "i32"), result: "i32" };
}

const paramCounts: Readonly<Partial<Record<BuiltinPlan["op"], number>>> = {
  "thread.yield": 0,
  "thread.suspend": 0,
  "waitable-set.wait": 2,
  "stream.read": 3,
  "stream.write": 3,
  "future.read": 2,
  "future.write": 2,
};
