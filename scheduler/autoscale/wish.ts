import type { SignalName } from "@shallop/sdk/api";
import { isResource, type Signal } from "./signals.ts";
import type { ScaleSpec } from "./spec.ts";

/** Load as the windows show it. */
export interface Load {
  readonly stable: number;
  readonly panic: number;
}

/** How many pods a signal asks for, and how that was worked out. */
interface Wish {
  readonly signal: SignalName;
  readonly asked: number;
  readonly words: string;
}

interface Loads {
  /** By the revision's metric. */
  readonly load: Load;
  /** By each of its further signals; undefined: that one is not known. */
  readonly more?: readonly (Load | undefined)[];
  readonly ready: number;
}

interface Context {
  readonly window: keyof Load;
  readonly ready: number;
  readonly tolerance: number;
}

/** `142`, `3.5`, `0.071429`: enough digits to check the sum by hand. */
export const digits = (value: number): string => String(Math.round(value * 1e6) / 1e6);

/**
 * The signal that asks for the most pods, as a HorizontalPodAutoscaler with several metrics does. Example: 60 requests at
 * once by 70, and 240 % of a pod's processor by 80: `cpu: ceil(stable 240 / target 80) = 3 (concurrency 1)`.
 */
export function greatestWish(spec: ScaleSpec, { load, more, ready }: Loads, window: keyof Load): Wish {
  const { metric, target, tolerance } = spec;
  const own = wishOf({ name: metric, target }, load[window], { window, ready, tolerance });
  if (spec.more.length === 0) return own;
  const wishes = [own];
  for (const [index, signal] of spec.more.entries()) {
    // How much a pod computes within seconds says nothing of a burst: waiting requests do.
    if (window === "panic" && isResource(signal.name)) continue;
    wishes.push(furtherWish(signal, more?.[index], { window, ready, tolerance: 0 }));
  }
  const greatest = wishes.reduce((most, wish) => (wish.asked > most.asked ? wish : most));
  const others = wishes.filter((wish) => wish !== greatest).map(({ signal, asked }) => `${signal} ${String(asked)}`);
  const words = `${greatest.signal}: ${greatest.words}`;
  return { ...greatest, words: others.length === 0 ? words : `${words} (${others.join(", ")})` };
}

function furtherWish(signal: Signal, load: Load | undefined, context: Context): Wish {
  const { name } = signal;
  if (load === undefined) {
    // What is not known is no reason to take pods away.
    const held = isResource(name) && context.ready > 1 ? context.ready : 0;
    return { signal: name, asked: held, words: `not known, so the ${String(held)} that are ready stay` };
  }
  const wish = wishOf(signal, load[context.window], context);
  // One pod that idles uses some of it, and is nobody's reason to stay.
  return isResource(name) && wish.asked === 1 ? { ...wish, asked: 0 } : wish;
}

/**
 * Pods for a load. Within the tolerance of what is ready it is as many as are ready: kubernetes
 * pkg/controller/podautoscaler/replica_calculator.go. Example with 2 ready pods, 170 % by a target of 80 and a tolerance of
 * a tenth: 170 / 160 is 1.06, so 2 stay.
 */
function wishOf(
  { name: signal, target }: Pick<Signal, "name" | "target">,
  load: number,
  { window, ready, tolerance }: Context,
): Wish {
  if (tolerance > 0 && ready > 0 && Math.abs(load / (ready * target) - 1) <= tolerance) {
    const full = `ready ${String(ready)} × target ${digits(target)}`;
    return {
      signal,
      asked: ready,
      words: `${window} ${digits(load)} is within ${digits(tolerance * 100)} % of ${full}`,
    };
  }
  const asked = Math.ceil(load / target);
  return { signal, asked, words: `ceil(${window} ${digits(load)} / target ${digits(target)}) = ${String(asked)}` };
}
