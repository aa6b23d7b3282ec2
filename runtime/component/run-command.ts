import type { LinkedArtifact } from "./engine.ts";
import { GuestExit, guestFaultOf } from "./guest-fault.ts";
import { entryOf } from "./instance/entry.ts";
import { HostBinding } from "./instance/host-binding.ts";
import { LinkedComponent } from "./instance/linked-component.ts";
import { LiveInstance } from "./instance/live-instance.ts";
import { GuestContext, type GuestSettings } from "./wasi/guest-context.ts";
import { wasiImports } from "./wasi/imports.ts";
import type { Result } from "./wasi/result.ts";
import { wasiAsyncFunction, wasiFunction } from "./wasi/lowered/wasi-functions.ts";
import { mayWait } from "./wasi/waiting-imports.ts";

/**
 * Runs a command component to its end: one instance, and one call of its `wasi:cli/run#run`.
 * @returns its exit code: the one that it gave to `exit`, or 0 and 1 for the result of `run`
 * @throws GuestFault when it traps or goes over a limit
 */
export async function runCommand(artifact: LinkedArtifact, settings: GuestSettings): Promise<number> {
  const { plan, states } = artifact.links;
  const context = new GuestContext(settings);
  try {
    const component = new LinkedComponent({
      plan,
      modules: artifact.modules,
      starts: states.map(({ start }) => start),
      mayWait,
      coreFunction: wasiFunction,
      asyncFunction: wasiAsyncFunction,
    });
    const host = new HostBinding(plan.hostFunctions, wasiImports({ context }));
    const live = new LiveInstance(component, host, settings.bounds.handlesMax);
    await live.begin();
    live.isAlone = true;
    const call = live.start(entryOf(plan, "run").callee, []);
    const result = (await call.returned) as Result<undefined, undefined>;
    // One of WASI 0.3 may have something to finish.
    await call.ended;
    return result.tag === "ok" ? 0 : 1;
  } catch (error) {
    const fault = guestFaultOf(error, "the guest failed");
    if (fault instanceof GuestExit) return fault.exitCode;
    throw fault;
  } finally {
    context.end();
  }
}
