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
 * @returns its exit code: the one that it gave to `exit`, or 0 and 1 for the result of `run`; of a program of preview 1 that
 * an adapter has made a component, the one that it gave to `proc_exit`
 * @throws GuestFault when it traps or goes over a limit
 */
export async function runCommand(artifact: LinkedArtifact, settings: GuestSettings): Promise<number> {
  const { plan, states } = artifact.links;
  const context = new GuestContext(settings);
  const codes: number[] = [];
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
    live.linking = (from, name, value) => (isProcExit(from, name) ? heard(value, codes) : value);
    await live.begin();
    live.isAlone = true;
    const call = live.start(entryOf(plan, "run").callee, []);
    const result = (await call.returned) as Result<undefined, undefined>;
    // One of WASI 0.3 may have something to finish.
    await call.ended;
    return result.tag === "ok" ? 0 : 1;
  } catch (error) {
    const fault = guestFaultOf(error, "the guest failed");
    // WASI 0.2's stable `exit` knows success and failure; which failure it was is known from before.
    if (fault instanceof GuestExit) return fault.exitCode === 1 ? (codes.at(-1) ?? 1) : fault.exitCode;
    throw fault;
  } finally {
    context.end();
  }
}

const isProcExit = (from: string, name: string): boolean => from === "wasi_snapshot_preview1" && name === "proc_exit";

/** What is called in the place of an adapter's `proc_exit`: notes the code, as much of it as a process can end with. */
function heard(exit: unknown, codes: number[]): unknown {
  if (typeof exit !== "function") return exit;
  return (code: number): unknown => {
    if (code !== 0) codes.push(code & 0xff);
    return (exit as (code: number) => unknown)(code);
  };
}
