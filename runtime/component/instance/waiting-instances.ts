import type { LinkPlan } from "../link/link-plan.ts";

/**
 * The component instances that may have to wait in a call: those that call a function of the host which may wait, and those that
 * call into them, or destroy their resources.
 */
export function waitingInstances(plan: LinkPlan, hostWaits: (host: number) => boolean): ReadonlySet<number> {
  const waiting = new Set<number>();
  const callersOf = new Map<number, number[]>();
  for (const builtin of plan.builtins) {
    if (builtin.op === "lower" && builtin.callee.kind === "host") {
      if (hostWaits(builtin.callee.host)) waiting.add(builtin.instance);
      continue;
    }
    const called = calledBy(plan, builtin);
    if (called === undefined) continue;
    const callers = callersOf.get(called);
    if (callers === undefined) callersOf.set(called, [builtin.instance]);
    else callers.push(builtin.instance);
  }
  // A set that is added to while it is walked is walked to its end.
  for (const instance of waiting) for (const caller of callersOf.get(instance) ?? []) waiting.add(caller);
  return waiting;
}

/** The component instance that a built-in calls into. */
function calledBy(plan: LinkPlan, builtin: LinkPlan["builtins"][number]): number | undefined {
  if (builtin.op === "lower" && builtin.callee.kind === "lift") return plan.lifts[builtin.callee.lift]?.instance;
  if (builtin.op !== "resource.drop") return undefined;
  const resource = plan.resources[builtin.resource];
  return resource?.kind === "guest" && resource.destructor !== undefined ? resource.instance : undefined;
}
