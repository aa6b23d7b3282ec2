import { systemClock, systemRandom } from "@shallop/sdk/internal";
import { addressJudge } from "./egress/address-judge.ts";
import { Egress } from "./egress/egress.ts";
import { jcoEngine } from "./jco-engine.ts";
import { guestBounds, noGrants } from "./wasi/guest-context.ts";

// A guest's initialisation takes milliseconds; one that takes longer starts without a cache.
const warmTimeoutMs = 2000;

/**
 * V8's code cache of the glue with what an instantiation needs compiled: it spares the start of a pod the compilation
 * of a megabyte of JavaScript. Runs the guest's own initialisation, so only the jail may call it. Undefined when the
 * guest cannot be initialised here; its start will say why.
 */
export async function warmGlueCache(
  glue: string,
  modules: ReadonlyMap<string, WebAssembly.Module>,
): Promise<Uint8Array | undefined> {
  const component = jcoEngine.load({ form: "bindings", glue, glueCache: undefined, modules });
  // No name resolves and no address is reached: an initialisation has no business on the network.
  const egress = new Egress(addressJudge(), () => Promise.reject(new Error("no network while preparing")));
  const instantiate = component.instantiate({
    environment: [],
    ...noGrants,
    clock: systemClock,
    random: systemRandom,
    egress,
    log: () => undefined,
    ended: () => undefined,
    bounds: guestBounds,
  });
  const outcome = await Promise.race([
    instantiate.then(
      (instance) => instance,
      () => undefined,
    ),
    systemClock.sleep(warmTimeoutMs).then(() => undefined),
  ]);
  if (outcome === undefined) return undefined;
  outcome.dispose();
  return component.glueCache?.();
}
