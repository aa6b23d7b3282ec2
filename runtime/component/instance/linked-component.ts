import { CodecTable } from "../abi/codec-table.ts";
import { FunctionCodec } from "../abi/function-codec.ts";
import type { BuiltinPlan, Callee, CanonicalOptions, LinkPlan } from "../link/link-plan.ts";
import type { FunctionType } from "../link/value-type.ts";
import { familyOf } from "./host-binding.ts";
import { type WaitingSignature, waitingShim } from "./waiting-shim.ts";

type LowerPlan = Extract<BuiltinPlan, { op: "lower" }>;

/** A call out of a component, as it was planned. */
export interface LoweredCall {
  readonly plan: LowerPlan;
  /** Which function of the waiting shim it goes through; undefined for one that never waits. */
  readonly shim: number | undefined;
}

export interface LinkedComponentOptions {
  readonly plan: LinkPlan;
  /** In the order of the plan. */
  readonly modules: readonly WebAssembly.Module[];
  /** Whether a function of the host may return a promise. */
  readonly mayWait: (interfaceFamily: string, name: string) => boolean;
}

/** A component as all its instances of one thread share it: the plan, its modules, and codecs for its types. */
export class LinkedComponent {
  readonly plan: LinkPlan;
  readonly modules: readonly WebAssembly.Module[];
  /** By the index of the builtin. */
  readonly lowered: ReadonlyMap<number, LoweredCall>;
  /** Undefined when nothing of the component ever waits. */
  readonly shim: WebAssembly.Module | undefined;
  readonly #table: CodecTable;
  readonly #codecs = new Map<FunctionType, FunctionCodec>();
  readonly #mayWait: LinkedComponentOptions["mayWait"];
  /** By component instance: whether a call into it may wait. */
  readonly #waits: (boolean | undefined)[] = [];

  /** @throws TypeError when the plan holds what is not linked: the asynchronous ABI of WASI 0.3 */
  constructor({ plan, modules, mayWait }: LinkedComponentOptions) {
    this.plan = plan;
    this.modules = modules;
    this.#mayWait = mayWait;
    this.#table = new CodecTable(plan);
    const lowered = new Map<number, LoweredCall>();
    const signatures: WaitingSignature[] = [];
    for (const [index, builtin] of plan.builtins.entries()) {
      if (builtin.op !== "lower") continue;
      const shim = this.calleeWaits(builtin.callee) ? signatures.push(this.codec(builtin.type).lowered) - 1 : undefined;
      lowered.set(index, { plan: builtin, shim });
    }
    this.lowered = lowered;
    this.shim = signatures.length === 0 ? undefined : new WebAssembly.Module(waitingShim(signatures));
  }

  /** Made once for each function, when it is first called. */
  codec(type: FunctionType): FunctionCodec {
    let codec = this.#codecs.get(type);
    if (codec === undefined) {
      codec = new FunctionCodec(type, this.#table);
      this.#codecs.set(type, codec);
    }
    return codec;
  }

  /** Whether a call of `callee` may have to wait for something. */
  calleeWaits(callee: Callee): boolean {
    if (callee.kind === "lift") return this.#instanceWaits(this.plan.lifts[callee.lift]?.instance ?? 0);
    const host = this.plan.hostFunctions[callee.host];
    return host !== undefined && this.#mayWait(familyOf(host.interface), host.name);
  }

  /** Instances call each other in one direction only: a component can import only what was there before it. */
  #instanceWaits(instance: number): boolean {
    const known = this.#waits[instance];
    if (known !== undefined) return known;
    this.#waits[instance] = false;
    const waits = this.plan.builtins.some(
      (builtin) => builtin.op === "lower" && builtin.instance === instance && this.calleeWaits(builtin.callee),
    );
    this.#waits[instance] = waits;
    return waits;
  }
}

/** What is linked: all but the asynchronous ABI. @returns what the plan holds that is not, in words */
export function findUnlinked(plan: LinkPlan): string | undefined {
  const type = plan.types.find(({ kind }) => kind === "stream" || kind === "future" || kind === "error-context");
  if (type !== undefined) return `values of the type ${type.kind}`;
  const builtin = plan.builtins.find(({ op }) => !linkedOperations.has(op));
  if (builtin !== undefined) return `canon ${builtin.op}`;
  const isAsync = ({ options }: { readonly options: CanonicalOptions }): boolean => options.async;
  const lowers = plan.builtins.filter((one) => one.op === "lower");
  return lowers.some(isAsync) || plan.lifts.some(isAsync) ? "functions of the asynchronous ABI" : undefined;
}

const linkedOperations: ReadonlySet<BuiltinPlan["op"]> = new Set<BuiltinPlan["op"]>([
  "lower",
  "resource.new",
  "resource.rep",
  "resource.drop",
]);
