import { GuestFault } from "../guest-fault.ts";
import type { Callee, LinkPlan } from "../link/link-plan.ts";
import { entryInterface, type Purpose } from "../requirements.ts";
import { familyOf } from "./host-binding.ts";

const functionName: Readonly<Record<Purpose, string>> = { serve: "handle", run: "run" };

/** The function of a component that is called for `purpose`. @throws GuestFault when it exports none */
export function entryOf(plan: LinkPlan, purpose: Purpose): Callee {
  for (const exported of plan.exports) {
    if (exported.kind !== "instance" || familyOf(exported.name) !== entryInterface[purpose]) continue;
    const entry = exported.functions.find(({ name }) => name === functionName[purpose]);
    if (entry !== undefined) return entry.callee;
  }
  throw new GuestFault("GUEST_FAILED", `the component exports no ${entryInterface[purpose]}`);
}
