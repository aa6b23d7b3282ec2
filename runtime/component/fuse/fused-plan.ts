import type { CodecTable } from "../abi/codec-table.ts";
import type { FunctionCodec } from "../abi/function-codec.ts";
import type { BuiltinPlan, CanonicalOptions, LiftPlan, LinkPlan } from "../link/link-plan.ts";
import type { FunctionType } from "../link/value-type.ts";
import { fusedModule, type HelperImport } from "./fused-module.ts";

/** A component instance, and how its values lie in its memory. */
interface Side {
  readonly instance: number;
  readonly options: CanonicalOptions;
}

/** Which function of which group a built-in is. */
export interface FusedCall {
  readonly group: FusedGroup;
  readonly index: number;
}

export interface FusedPlanSettings {
  readonly plan: LinkPlan;
  readonly codecs: CodecTable;
  readonly codec: (type: FunctionType, loweredAsync: boolean) => FunctionCodec;
  /** The same for options that say the same of the same component instance. */
  readonly contextNumber: (instance: number, options: CanonicalOptions) => number;
  /** The component has tasks: halves of calls are compiled. */
  readonly isAsync: boolean;
}

interface CompiledGroup {
  readonly module: WebAssembly.Module;
  readonly helpers: readonly HelperImport[];
  /** Of the module's code. */
  readonly byteLength: number;
}

/** Calls from one component to another that have the same memories on both sides: they are one core module. */
export class FusedGroup {
  /** In `LiveInstance`. */
  readonly number: number;
  readonly caller: Side;
  readonly callee: Side;
  readonly functions: { readonly lift: LiftPlan; readonly isLoweredAsync: boolean }[] = [];
  readonly #settings: FusedPlanSettings;
  #module: CompiledGroup | undefined;

  constructor(number: number, sides: { readonly caller: Side; readonly callee: Side }, settings: FusedPlanSettings) {
    this.number = number;
    this.caller = sides.caller;
    this.callee = sides.callee;
    this.#settings = settings;
  }

  add(lift: LiftPlan, isLoweredAsync: boolean): number {
    return this.functions.push({ lift, isLoweredAsync }) - 1;
  }

  get isAsync(): boolean {
    return this.#settings.isAsync;
  }

  /** Compiled once, when the first instance is made. */
  get module(): CompiledGroup {
    return (this.#module ??= this.#compile());
  }

  #compile(): CompiledGroup {
    const { plan, codecs, codec, isAsync } = this.#settings;
    const [caller, callee] = [this.caller.options, this.callee.options];
    const { bytes, helpers } = fusedModule({
      types: plan.types,
      codecs,
      isAsync,
      functions: this.functions.map(({ lift: { type, options }, isLoweredAsync }) => ({
        type,
        caller: codec(type, isLoweredAsync),
        callee: codec(type, false),
        hasPostReturn: options.postReturn !== undefined,
        isLiftedAsync: options.async,
      })),
      hasMemory: { caller: caller.memory !== undefined, callee: callee.memory !== undefined },
      isAllUtf8: caller.encoding === "utf8" && callee.encoding === "utf8",
    });
    return { module: new WebAssembly.Module(bytes), helpers, byteLength: bytes.length };
  }
}

/** The calls between the components of a composition, by the built-ins by which they are made. */
export function planFused(settings: FusedPlanSettings): ReadonlyMap<BuiltinPlan, FusedCall> {
  const { plan, contextNumber } = settings;
  const groups = new Map<string, FusedGroup>();
  const calls = new Map<BuiltinPlan, FusedCall>();
  for (const [index, builtin] of plan.builtins.entries()) {
    if (builtin.op !== "lower") continue;
    const { instance, callee, options } = builtin;
    const lift = callee.kind === "lift" ? plan.lifts[callee.lift] : undefined;
    if (lift === undefined) continue;
    // What a component calls of itself may be there later than what it has called before: a group has all of its functions at once.
    const own = lift.instance === instance ? index : "";
    const key = `${contextNumber(instance, options)} ${contextNumber(lift.instance, lift.options)} ${own}`;
    let group = groups.get(key);
    if (group === undefined) {
      group = new FusedGroup(
        groups.size,
        { caller: { instance, options }, callee: { instance: lift.instance, options: lift.options } },
        settings,
      );
      groups.set(key, group);
    }
    calls.set(builtin, { group, index: group.add(lift, options.async) });
  }
  return calls;
}
