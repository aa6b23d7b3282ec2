import { GuestFault } from "../guest-fault.ts";
import type { Callee, LinkPlan } from "../link/link-plan.ts";
import { entryFamily, entryFunction, type Purpose, type WasiFamily } from "../requirements.ts";

const wanted: Readonly<Record<Purpose, string>> = {
  serve: "wasi:http/handler@0.3 and no wasi:http/incoming-handler@0.2",
  run: "wasi:cli/run of 0.2 or 0.3",
};

export interface Entry {
  readonly family: WasiFamily;
  readonly callee: Callee;
}

/** The function of a component that is called for `purpose`; 0.3's when it has both. @throws GuestFault when it exports none */
export function entryOf(plan: LinkPlan, purpose: Purpose): Entry {
  const entries: Entry[] = [];
  for (const exported of plan.exports) {
    if (exported.kind !== "instance") continue;
    const family = entryFamily(exported.name, purpose);
    const entry = exported.functions.find(({ name }) => name === entryFunction[purpose]);
    if (family !== undefined && entry !== undefined) entries.push({ family, callee: entry.callee });
  }
  const [first] = entries;
  if (first === undefined) throw new GuestFault("GUEST_FAILED", `the component exports no ${wanted[purpose]}`);
  return entries.find(({ family }) => family === "0.3") ?? first;
}
