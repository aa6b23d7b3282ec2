import { unreachable } from "@shallop/sdk/internal";
import type { CoreReference, ResourcePlan } from "../link/link-plan.ts";
import { dropShim } from "./drop-shim.ts";
import { guestWatch } from "./guest-watch.ts";
import type { LiveInstance, ResourceBuiltinPlan } from "./live-instance.ts";

type CoreFunction = (value: number) => number | undefined;

/** `canon resource.new`, `resource.rep`, `resource.drop` (CanonicalABI.md). */
export function resourceBuiltin(live: LiveInstance, plan: ResourceBuiltinPlan): CoreFunction {
  const { op, resource, instance } = plan;
  const { handles } = live.state(instance);
  switch (op) {
    case "resource.new":
      return guarded(live, plan, (representation) =>
        handles.add({ resource, representation: representation >>> 0, own: true, scope: undefined, lends: 0 }),
      );
    case "resource.rep":
      return guarded(live, plan, (index) => Number(handles.get(index >>> 0, resource).representation) | 0);
    case "resource.drop":
      if (live.component.plan.resources[resource]?.kind === "host") return hostDrop(live, plan);
      return guarded(live, plan, (index) => {
        drop(live, { index: index >>> 0, resource, instance });
        return undefined;
      });
    default:
      return unreachable(op);
  }
}

/** `canon resource.drop` of a resource of the host: what a guest calls most. */
function hostDrop(live: LiveInstance, { resource, instance }: ResourceBuiltinPlan): CoreFunction {
  const state = live.state(instance);
  return (index) => {
    state.checkCallOut();
    try {
      const { own, scope, representation } = state.handles.remove(index >>> 0, resource);
      if (own) {
        guestWatch.inHost = true;
        (representation as Partial<Disposable>)[Symbol.dispose]?.();
        guestWatch.inHost = false;
      } else if (scope !== undefined) scope.borrows--;
      return undefined;
    } catch (error) {
      guestWatch.inHost = false;
      throw live.ended(error);
    }
  };
}

/** `canon resource.drop` of a resource whose destructor may have to wait. */
export function waitingDrop(live: LiveInstance, plan: ResourceBuiltinPlan, destructor: CoreReference): CoreFunction {
  const { resource, instance } = plan;
  const representation = new WebAssembly.Global({ value: "i32", mutable: true }, 0);
  const take = guarded(live, plan, (index) => {
    const handle = live.state(instance).handles.remove(index >>> 0, resource);
    if (handle.own) representation.value = Number(handle.representation) | 0;
    else if (handle.scope !== undefined) handle.scope.borrows--;
    return handle.own ? 1 : 0;
  });
  const imports = { guest: { take, destroy: live.core(destructor) }, state: { representation } };
  shimModule ??= new WebAssembly.Module(dropShim());
  return new WebAssembly.Instance(shimModule, imports).exports["drop"] as CoreFunction;
}

let shimModule: WebAssembly.Module | undefined;

function guarded(
  live: LiveInstance,
  { op, instance }: ResourceBuiltinPlan,
  run: (value: number) => number | undefined,
): CoreFunction {
  return (value) => {
    const state = live.state(instance);
    // A representation may be looked up at any time (CanonicalABI.md, "canon resource.rep").
    if (op === "resource.rep") state.throwIfOver();
    else state.checkCallOut();
    try {
      return run(value);
    } catch (error) {
      throw live.ended(error);
    }
  };
}

function drop(
  live: LiveInstance,
  { index, resource, instance }: { readonly index: number; readonly resource: number; readonly instance: number },
): void {
  const handle = live.state(instance).handles.remove(index, resource);
  if (!handle.own) {
    if (handle.scope !== undefined) handle.scope.borrows--;
    return;
  }
  const plan = live.component.plan.resources[resource];
  if (plan?.kind === "guest") destroy(live, { plan, caller: instance }, Number(handle.representation));
}

/**
 * Runs the destructor, in the component that defines the resource. It cannot wait: of a synchronous component nothing does that
 * comes here, and of an asynchronous one nothing may (CanonicalABI.md, "canon resource.drop").
 */
function destroy(
  live: LiveInstance,
  { plan, caller }: { readonly plan: ResourcePlan & { readonly kind: "guest" }; readonly caller: number },
  representation: number,
): void {
  const { tasks } = live;
  const run = (): void => {
    if (plan.destructor !== undefined) (live.core(plan.destructor) as CoreFunction)(representation);
  };
  const instance = tasks?.instances[plan.instance];
  if (tasks === undefined || instance === undefined) return run();
  const from = tasks.instances[caller];
  if (!instance.mayEnterFrom(from)) instance.state.trap("a component was entered while a call is in it");
  const left = instance.enterFrom(from, () => undefined);
  tasks.asSyncTask(instance, run);
  left();
}
