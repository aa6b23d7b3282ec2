import { liftFuture, liftStream, lowerFuture, lowerStream, type TransferredType } from "../abi/async-codecs.ts";
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
export type LoweredFunction = (
  guest: CallingGuest,
  index: number,
  resources: ResourceNumbers,
  transfers: Transfers,
) => CoreFunction;

/** The types of the streams and futures in the function's type, one for each place in which one is passed. */
export type Transfers = readonly TransferredType[];

/** The parts of a function of the host that is `async`: between them lies whatever time its answer takes (`../async/lower.ts`). */
export interface AsyncParts {
  /** Takes the arguments from core values, and calls the host. */
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly call: (...values: any[]) => unknown;
  /** The same where there are more of them than a call has room for, from the guest's memory. */
  readonly load?: (pointer: number) => unknown;
  /** Writes the result to where it is to be. */
  readonly finish?: (result: unknown, pointer: number) => void;
  /** The result, where it is one core value. */
  readonly lower?: (result: unknown) => CoreValue;
}

export type AsyncLoweredFunction = (
  guest: CallingGuest,
  index: number,
  resources: ResourceNumbers,
  transfers: Transfers,
) => AsyncParts;

export type AsyncLoweredInterfaces = Readonly<Record<string, Readonly<Record<string, AsyncLoweredFunction>>>>;

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

  /** The same, lent until the call has ended: the guest goes on meanwhile. */
  lend<Resource>(handle: number, resource: number): Resource {
    const found = this.#state.handles.get(handle >>> 0, resource);
    this.#state.lend(found);
    return found.representation as Resource;
  }

  /** A stream that the guest gives away. */
  // oxlint-disable-next-line typescript/no-explicit-any
  stream(handle: number, type: TransferredType | undefined): any {
    return liftStream(this.context, handle >>> 0, known(type));
  }

  // oxlint-disable-next-line typescript/no-explicit-any
  future(handle: number, type: TransferredType | undefined): any {
    return liftFuture(this.context, handle >>> 0, known(type));
  }

  /** A handle for a stream of the host. */
  streamHandle(stream: unknown, type: TransferredType | undefined): number {
    return lowerStream(this.context, stream, known(type));
  }

  futureHandle(future: unknown, type: TransferredType | undefined): number {
    return lowerFuture(this.context, future, known(type));
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
    const { tasks } = this.#live;
    if (tasks !== undefined) {
      guestWatch.inHost = false;
      tasks.holdFor(answer, (value) => {
        finish(value as Value, pointer);
        return undefined;
      });
      return;
    }
    this.#live.waits.suspend({ answer, finish: (value) => finish(value as Value, pointer) });
  }
}

function known(type: TransferredType | undefined): TransferredType {
  if (type === undefined) throw new RangeError("the function passes fewer streams and futures than WASI says");
  return type;
}
