import { CodecTable } from "../abi/codec-table.ts";
import { FunctionCodec } from "../abi/function-codec.ts";
import type { TransferredType } from "../abi/async-codecs.ts";
import { noResource } from "../abi/handle-table.ts";
import { AsyncPlan, isAsync } from "../async/async-plan.ts";
import { blockingSignature } from "../async/blocking-signature.ts";
import type { CoreSignature } from "../core-module/encode.ts";
import { entryShim } from "../async/entry-shim.ts";
import type { BuiltinOf, BuiltinPlan, Callee, CanonicalOptions, CoreReference, LinkPlan } from "../link/link-plan.ts";
import { type FusedCall, planFused } from "../fuse/fused-plan.ts";
import { functionResources, functionTransfers } from "../link/type-resources.ts";
import type { FunctionType, TypeIndex } from "../link/value-type.ts";
import type { AsyncLoweredFunction, LoweredFunction, ResourceNumbers, Transfers } from "./calling-guest.ts";
import { familyOf } from "./host-binding.ts";
import { waitingInstances } from "./waiting-instances.ts";
import { waitingShim } from "./waiting-shim.ts";

/** A call of the host, as it was planned. */
export interface LoweredCall {
  readonly plan: BuiltinOf<"lower">;
  /** Which function of the waiting shim it goes through; undefined for one that never waits. */
  readonly shim: number | undefined;
}

/** A function of the host that is there as a core function, and what it has to know of this component. */
export interface HostCall<Make = LoweredFunction> {
  readonly make: Make;
  /** Of `LinkPlan.hostFunctions`. */
  readonly host: number;
  readonly resources: ResourceNumbers;
  readonly transfers: Transfers;
}

export interface LinkedComponentOptions {
  readonly plan: LinkPlan;
  /** In the order of the plan. */
  readonly modules: readonly WebAssembly.Module[];
  /** Of each module, the export that is called when it has been instantiated (`ModuleState.start`). */
  readonly starts?: readonly (string | undefined)[];
  /** Whether a function of the host may return a promise. */
  readonly mayWait: (interfaceFamily: string, name: string) => boolean;
  /** The functions of the host that are there as core functions; a call of any other goes through codecs and `HostBinding`. */
  readonly coreFunction?: (interfaceFamily: string, name: string) => LoweredFunction | undefined;
  /** The same of those that are `async`. */
  readonly asyncFunction?: (interfaceFamily: string, name: string) => AsyncLoweredFunction | undefined;
}

/** A component as all its instances of one thread share it: the plan, its modules, and codecs for its types. */
export class LinkedComponent {
  readonly plan: LinkPlan;
  readonly modules: readonly WebAssembly.Module[];
  readonly starts: readonly (string | undefined)[];
  /** What of it may be suspended; undefined for a component of the synchronous ABI. */
  readonly async: AsyncPlan | undefined;
  /** Calls of the host, by the index of the builtin; for the synchronous ABI. */
  readonly lowered: ReadonlyMap<number, LoweredCall>;
  /** Calls of other components. */
  readonly fused: ReadonlyMap<BuiltinPlan, FusedCall>;
  /** Which function of the shim a builtin goes through, by its index; for the asynchronous ABI. */
  readonly blocking: ReadonlyMap<number, number>;
  /** Undefined when nothing of the component ever waits. */
  readonly shim: WebAssembly.Module | undefined;
  readonly codecs: CodecTable;
  readonly #codecs = new Map<FunctionType, FunctionCodec>();
  readonly #asyncCodecs = new Map<FunctionType, FunctionCodec>();
  readonly #entryShims = new Map<string, WebAssembly.Module>();
  readonly #mayWait: LinkedComponentOptions["mayWait"];
  readonly #coreFunction: LinkedComponentOptions["coreFunction"];
  readonly #asyncFunction: LinkedComponentOptions["asyncFunction"];
  readonly #hostCalls = new Map<BuiltinOf<"lower">, HostCall | undefined>();
  readonly #contexts = new WeakMap<CanonicalOptions, { readonly instance: number; readonly number: number }>();
  readonly #contextNumbers = new Map<string, number>();
  /** Component instances a call into which may wait. */
  readonly #waiting: ReadonlySet<number>;

  constructor({ plan, modules, starts = [], mayWait, coreFunction, asyncFunction }: LinkedComponentOptions) {
    this.plan = plan;
    this.modules = modules;
    this.starts = starts;
    this.#mayWait = mayWait;
    this.#coreFunction = coreFunction;
    this.#asyncFunction = asyncFunction;
    this.codecs = new CodecTable(plan);
    this.#waiting = waitingInstances(plan, (host) => this.#hostWaits(host));
    this.async = isAsync(plan) ? new AsyncPlan(plan, (host) => this.#hostWaits(host)) : undefined;
    const lowered = new Map<number, LoweredCall>();
    const blocking = new Map<number, number>();
    this.lowered = lowered;
    this.fused = this.#planFused();
    this.blocking = blocking;
    this.shim = this.async === undefined ? this.#planLowered(lowered) : this.#planBlocking(this.async, blocking);
  }

  #planFused(): ReadonlyMap<BuiltinPlan, FusedCall> {
    return planFused({
      plan: this.plan,
      codecs: this.codecs,
      codec: (type, loweredAsync) => this.codec(type, loweredAsync),
      isAsync: this.async !== undefined,
      contextNumber: (instance, options) => this.contextNumber(instance, options),
    });
  }

  #planLowered(lowered: Map<number, LoweredCall>): WebAssembly.Module | undefined {
    const signatures: CoreSignature[] = [];
    for (const [index, builtin] of this.plan.builtins.entries()) {
      if (builtin.op !== "lower" || builtin.callee.kind !== "host") continue;
      const shim = this.calleeWaits(builtin.callee) ? signatures.push(this.codec(builtin.type).lowered) - 1 : undefined;
      lowered.set(index, { plan: builtin, shim });
    }
    return signatures.length === 0 ? undefined : new WebAssembly.Module(waitingShim(signatures));
  }

  #planBlocking(async: AsyncPlan, blocking: Map<number, number>): WebAssembly.Module | undefined {
    const signatures: CoreSignature[] = [];
    for (const [index, builtin] of this.plan.builtins.entries()) {
      if (!async.builtinBlocks(builtin)) continue;
      const lowered = ({ type, options }: BuiltinOf<"lower">): CoreSignature => this.codec(type, options.async).lowered;
      blocking.set(index, signatures.push(blockingSignature(builtin, lowered)) - 1);
    }
    return signatures.length === 0 ? undefined : new WebAssembly.Module(waitingShim(signatures));
  }

  /** Made once for each function, when it is first called. `loweredAsync`: for `canon lower` with `async`. */
  codec(type: FunctionType, loweredAsync = false): FunctionCodec {
    const codecs = loweredAsync ? this.#asyncCodecs : this.#codecs;
    let codec = codecs.get(type);
    if (codec === undefined) {
      codec = new FunctionCodec(type, this.codecs, loweredAsync);
      codecs.set(type, codec);
    }
    return codec;
  }

  /** The host's function that `plan` calls, where it is there as a core function and is called as one that does not wait for others. */
  hostCall(plan: BuiltinOf<"lower">): HostCall | undefined {
    if (!this.#hostCalls.has(plan)) this.#hostCalls.set(plan, this.#findHostCall(plan));
    return this.#hostCalls.get(plan);
  }

  #findHostCall({ callee, type, options }: BuiltinOf<"lower">): HostCall | undefined {
    if (callee.kind !== "host" || options.async || type.async) return undefined;
    const host = this.plan.hostFunctions[callee.host];
    const make = host && this.#coreFunction?.(familyOf(host.interface), host.name);
    return make && { make, host: callee.host, ...this.#typesOf(type) };
  }

  /** The host's function that `plan` calls, where it is `async` and there in parts. */
  asyncHostCall({ callee, type }: BuiltinOf<"lower">): HostCall<AsyncLoweredFunction> | undefined {
    if (callee.kind !== "host" || !type.async) return undefined;
    const host = this.plan.hostFunctions[callee.host];
    const make = host && this.#asyncFunction?.(familyOf(host.interface), host.name);
    return make && { make, host: callee.host, ...this.#typesOf(type) };
  }

  #typesOf(type: FunctionType): Pick<HostCall, "resources" | "transfers"> {
    const transfers = functionTransfers(type, (index) => this.plan.types[index]);
    return { resources: this.#resourceNumbers(type), transfers: transfers.map((index) => this.transferred(index)) };
  }

  /** By their names: to a component that was composed of others they may be several of one name. */
  #resourceNumbers(type: FunctionType): ResourceNumbers {
    const byName = new Map<string, number>();
    for (const number of functionResources(type, (index) => this.plan.types[index])) {
      const resource = this.plan.resources[number];
      if (resource?.kind === "host" && !byName.has(resource.name)) byName.set(resource.name, number);
    }
    const [first = noResource, second = noResource, third = noResource, fourth = noResource] = byName.values();
    return [first, second, third, fourth];
  }

  /** The same number for options that say the same of the same component instance. */
  contextNumber(instance: number, options: CanonicalOptions): number {
    const known = this.#contexts.get(options);
    if (known?.instance === instance) return known.number;
    const key = JSON.stringify([instance, options.encoding, options.memory, options.realloc]);
    const number = this.#contextNumbers.get(key) ?? this.#contextNumbers.size;
    this.#contextNumbers.set(key, number);
    this.#contexts.set(options, { instance, number });
    return number;
  }

  /** What a stream or future type carries. */
  transferred(type: TypeIndex): TransferredType {
    return this.codecs.transferred(type);
  }

  /** Made once for each signature. */
  entryShim(signature: CoreSignature): WebAssembly.Module {
    const key = `${signature.params.join()}:${signature.result}`;
    let shim = this.#entryShims.get(key);
    if (shim === undefined) {
      shim = new WebAssembly.Module(entryShim(signature));
      this.#entryShims.set(key, shim);
    }
    return shim;
  }

  /** Whether a call of `callee` may have to wait for something. */
  calleeWaits(callee: Callee): boolean {
    if (callee.kind === "lift") return this.#waiting.has(this.plan.lifts[callee.lift]?.instance ?? 0);
    return this.#hostWaits(callee.host);
  }

  /** The destructor of a guest's resource, when it may have to wait. */
  waitingDestructor(resource: number): CoreReference | undefined {
    const plan = this.plan.resources[resource];
    return plan?.kind === "guest" && this.#waiting.has(plan.instance) ? plan.destructor : undefined;
  }

  #hostWaits(index: number): boolean {
    const host = this.plan.hostFunctions[index];
    return host !== undefined && this.#mayWait(familyOf(host.interface), host.name);
  }
}
