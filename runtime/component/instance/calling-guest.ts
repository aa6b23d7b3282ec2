import type { CanonicalContext } from "../abi/canonical-context.ts";
import type { CoreValue } from "../abi/codec.ts";
import type { ComponentState } from "../abi/component-state.ts";
import type { GuestFault } from "../guest-fault.ts";
import type { CanonicalOptions } from "../link/link-plan.ts";
import { guestWatch } from "./guest-watch.ts";
import type { HostBinding, HostFunction } from "./host-binding.ts";
import type { LiveInstance } from "./live-instance.ts";

/** A function that a core module imports. */
// What its values are WebAssembly sees to: a signature in TypeScript would say less.
// oxlint-disable-next-line typescript/no-explicit-any
export type CoreFunction = (...values: any[]) => CoreValue | void;

/** Indexes into `LinkPlan.resources`, of those in the function's type in the order in which they are met. */
export type ResourceNumbers = readonly [number, number, number, number];

/**
 * Makes the core function by which a guest calls one function of the host, `index` of `LinkPlan.hostFunctions`: it takes its
 * arguments from core values and from the guest's memory itself, and writes its result there (CanonicalABI.md, "canon lower").
 */
export type LoweredFunction = (guest: CallingGuest, index: number, resources: ResourceNumbers) => CoreFunction;

/** By the name of the interface without its version, and of the function as WIT writes it. */
export type LoweredInterfaces = Readonly<Record<string, Readonly<Record<string, LoweredFunction>>>>;

/** The guest as the core functions see it that it calls: its memory, its handles, and what each call begins and ends with. */
export class CallingGuest {
  readonly #state: ComponentState;
  readonly #live: LiveInstance;
  readonly #host: HostBinding;
  readonly #options: CanonicalOptions;
  #context: CanonicalContext | undefined;

  /** `instance`: the component instance that calls. */
  constructor(live: LiveInstance, instance: number, options: CanonicalOptions) {
    this.#state = live.state(instance);
    this.#live = live;
    this.#host = live.host;
    this.#options = options;
  }

  /** Found when it is first needed: functions are given to a guest before its memory is there. */
  get context(): CanonicalContext {
    return (this.#context ??= this.#live.context(this.#state.number, this.#options));
  }

  /** The guest calls the host's function `index`. @throws GuestFault when it must not */
  enter(index: number): void {
    const state = this.#state;
    state.checkCallOut();
    const verdict = guestWatch.verdict();
    if (verdict !== undefined) state.fail(verdict);
    this.#host.markUsed(index);
    this.context.beginLift();
    guestWatch.inHost = true;
  }

  /** The host has done its part: what is left is to hand its answer over, by the guest's own `realloc` where it needs space. */
  leave(): void {
    guestWatch.inHost = false;
  }

  /** What the call ends with that has thrown `error`; nothing of the guest runs again. */
  failed(error: unknown): GuestFault {
    guestWatch.inHost = false;
    return this.#live.ended(error);
  }

  /** A function of the host that is no method. */
  callable(index: number): HostFunction {
    return this.#host.callable(index);
  }

  /**
   * What a borrowed handle stands for. It need not be lent: nothing of the guest runs before the call is over, and no
   * function of WASI takes a handle and lends it at once.
   */
  borrow<Resource>(handle: number, resource: number): Resource {
    return this.#state.handles.get(handle >>> 0, resource).representation as Resource;
  }

  /** What a handle stood for that the guest gives away. */
  own<Resource>(handle: number, resource: number): Resource {
    const index = handle >>> 0;
    const { own, representation } = this.#state.handles.remove(index, resource);
    if (!own) this.#state.trap(`handle ${index} is borrowed, and cannot be given away`);
    return representation as Resource;
  }

  /** A handle of the guest's own for an object of the host. */
  handle(representation: unknown, resource: number): number {
    return this.#state.handles.add({ resource, representation, own: true, scope: undefined, lends: 0 });
  }

  /** Where a result is to be written. @throws GuestFault when that is not in the memory, or not aligned */
  at(pointer: number, byteLength: number, alignment: number): number {
    const at = pointer >>> 0;
    this.context.check(at, byteLength, alignment);
    return at;
  }

  /** The answer is not there: the guest is suspended, and `finish` writes what comes to `pointer`. */
  wait<Value>(answer: Promise<Value>, finish: (value: Value, pointer: number) => void, pointer: number): void {
    this.#live.waits.suspend({ answer, finish: (value) => finish(value as Value, pointer) });
  }
}
