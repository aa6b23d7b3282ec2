import { CanonicalContext, type Realloc } from "../abi/canonical-context.ts";
import { asyncBuiltin } from "../async/builtins.ts";
import { trapped } from "../async/stacks.ts";
import { Tasks } from "../async/tasks.ts";
import { type AsideState, ComponentState, GuestState } from "../abi/component-state.ts";
import { fusedCalls } from "../fuse/fused-calls.ts";
import type { FusedGroup } from "../fuse/fused-plan.ts";
import { type GuestFault, guestFaultOf } from "../guest-fault.ts";
import type { GuestCall } from "../abi/stream.ts";
import type { BuiltinOf, Callee, CanonicalOptions, CoreReference, StepPlan } from "../link/link-plan.ts";
import { lowerCall } from "./call-out.ts";
import { callIn, callInNow, type LiftedFunction, liftedFunction } from "./call-in.ts";
import { type AsyncParts, CallingGuest, type CoreFunction } from "./calling-guest.ts";
import type { HostBinding } from "./host-binding.ts";
import type { HostCall, LinkedComponent } from "./linked-component.ts";
import { resourceBuiltin, waitingDrop } from "./resource-builtins.ts";
import { Waits } from "./waits.ts";

/** The place of one fork among several in one live instance. Each is in there in its turn, and finds it as it has left it. */
export interface LiveTurn {
  /** Its guest waits for the host. */
  isSuspended: boolean;
  /** It is over, and others are not: nothing of it may run again. */
  readonly isLeft: boolean;
  /** It is at work from now on. @throws GuestFault when its state is lost: the guest is over */
  begin(): void;
}

/** What the host keeps for a guest between its calls. */
export interface AsideGuest {
  readonly fault: GuestFault | undefined;
  readonly states: readonly AsideState[];
}

/** One instance of a component: its core instances, its handles, and the host that it talks to. */
export class LiveInstance {
  readonly component: LinkedComponent;
  readonly guest = new GuestState();
  readonly states: readonly ComponentState[];
  /** Of an asynchronous component. */
  readonly tasks: Tasks | undefined;
  /** In the order of the plan's steps. */
  readonly coreInstances: WebAssembly.Instance[] = [];
  /** The host's functions. */
  readonly host: HostBinding;
  /** Told when the guest waits, and when it goes on. */
  running: ((isRunning: boolean) => void) | undefined;
  /** Whose turn it is, where several forks take turns in it. */
  turn: LiveTurn | undefined;
  /**
   * No call will come beside the one that is in it: of an asynchronous guest in which nothing can go on any more nothing will
   * come, and it is ended for that.
   */
  isAlone = false;
  /** Sees each import of a core module before it is linked, and may put another value in its place. Set before `begin`. */
  linking: ((from: string, name: string, value: unknown) => unknown) | undefined;
  /** How a guest of the synchronous ABI waits. */
  readonly waits = new Waits(this);
  readonly #shim: WebAssembly.Instance | undefined;
  readonly #builtins: (CoreFunction | undefined)[] = [];
  /** By the component's numbers for them. */
  readonly #contexts: (CanonicalContext | undefined)[] = [];
  readonly #fused: (Readonly<Record<string, unknown>> | undefined)[] = [];
  readonly #callingGuests: (CallingGuest | undefined)[] = [];
  readonly #lifted: (LiftedFunction | undefined)[] = [];

  /** Nothing of the guest has run; `begin` comes next. */
  constructor(component: LinkedComponent, host: HostBinding, handlesMax: number) {
    this.component = component;
    this.host = host;
    const { plan } = component;
    this.states = Array.from(
      { length: plan.componentInstances },
      (_, index) => new ComponentState(this.guest, index, handlesMax),
    );
    this.tasks = component.async && new Tasks(this);
    this.#shim = this.#makeShim();
  }

  /**
   * Instantiates every core module, and with that runs what the guest does at its start. Call it once, and before anything else.
   * @returns a promise when a start function may have to wait
   * @throws GuestFault, WebAssembly.RuntimeError and whatever else a guest's start ends with
   */
  begin(): Promise<void> | undefined {
    return this.#beginAt(0);
  }

  #beginAt(first: number): Promise<void> | undefined {
    const { steps } = this.component.plan;
    const root = this.tasks?.instances[0];
    for (let index = first; index < steps.length; index++) {
      const step = known(steps[index]);
      if (this.tasks !== undefined && root !== undefined) {
        // An asynchronous component's start function is not async, and may not wait (Concurrency.md, "Interaction with the start function").
        this.tasks.asSyncTask(root, () => void this.#instantiate(step)?.());
      } else {
        const start = this.#instantiate(step);
        if (start !== undefined && this.#shim !== undefined) return this.#startSlowly(start, index + 1);
        start?.();
      }
      this.#throwIfOver();
    }
    return undefined;
  }

  async #startSlowly(start: () => unknown, next: number): Promise<void> {
    await WebAssembly.promising(start)();
    this.#throwIfOver();
    await this.#beginAt(next);
  }

  /** A guest can catch in its start function what was thrown through it. */
  #throwIfOver(): void {
    if (this.guest.fault !== undefined) throw this.guest.fault;
  }

  /** Calls an export; returns a promise when it may have to wait. @throws GuestFault */
  call(callee: Callee, args: readonly unknown[]): unknown {
    if (callee.kind === "host") return this.#callHost(callee.host, args);
    if (this.tasks !== undefined) {
      const call = this.tasks.start(callee.lift, args);
      if (this.guest.fault !== undefined && this.guest.fault !== trapped) throw this.guest.fault;
      return call.now === undefined ? call.returned : call.now.result;
    }
    return this.component.calleeWaits(callee) ? callIn(this, callee.lift, args) : callInNow(this, callee.lift, args);
  }

  /**
   * Begins a call of an asynchronous export; several may be under way at once. `running` is told when the guest is at work
   * for it, and when it is not. @throws GuestFault when the guest is over
   */
  start(callee: Callee, args: readonly unknown[], running?: (isRunning: boolean) => void): GuestCall {
    if (callee.kind === "lift" && this.tasks !== undefined) return this.tasks.start(callee.lift, args, running);
    const returned = (async () => await this.call(callee, args))();
    return { returned, ended: returned.then(() => undefined), cancel: () => undefined };
  }

  /** Nothing of the guest is under way: no call, and nothing that the host was asked for. */
  get isQuiet(): boolean {
    return this.tasks?.isQuiet ?? true;
  }

  /** @returns the start function, which is to be called */
  #instantiate({ module, imports }: StepPlan): (() => unknown) | undefined {
    const importObject: Record<string, Record<string, unknown>> = {};
    for (const { module: from, name, reference } of imports) {
      const value = this.core(reference);
      (importObject[from] ??= {})[name] = this.linking === undefined ? value : this.linking(from, name, value);
    }
    const instance = new WebAssembly.Instance(known(this.component.modules[module]), importObject);
    this.coreInstances.push(instance);
    const start = this.component.starts[module];
    return start === undefined ? undefined : (instance.exports[start] as () => unknown);
  }

  /** An import that the component exports as it is. */
  #callHost(host: number, args: readonly unknown[]): unknown {
    try {
      return this.host.callable(host)(...args);
    } catch (error) {
      throw this.ended(error);
    }
  }

  core(reference: CoreReference): unknown {
    if (reference.kind === "export") return this.coreInstances[reference.instance]?.exports[reference.name];
    return (this.#builtins[reference.builtin] ??= this.#makeBuiltin(reference.builtin));
  }

  /** A function of the component, by the index of its lift. */
  lifted(lift: number): LiftedFunction {
    return (this.#lifted[lift] ??= liftedFunction(this, lift));
  }

  context(instance: number, options: CanonicalOptions): CanonicalContext {
    const number = this.component.contextNumber(instance, options);
    let context = this.#contexts[number];
    if (context === undefined) {
      const { encoding, memory, realloc } = options;
      context = new CanonicalContext({
        state: this.state(instance),
        encoding,
        memory: memory && (this.core(memory) as WebAssembly.Memory),
        realloc: realloc && this.#realloc(instance, realloc),
      });
      this.#contexts[number] = context;
    }
    return context;
  }

  /** A function of the host as the core function that a guest calls. */
  hostFunction({ make, host, resources, transfers }: HostCall, plan: BuiltinOf<"lower">): CoreFunction {
    return make(this.#callingGuest(plan), host, resources, transfers);
  }

  /** A function of the host that is `async`, in parts; undefined when it is not there so. */
  asyncParts(plan: BuiltinOf<"lower">): (AsyncParts & { readonly guest: CallingGuest }) | undefined {
    const call = this.component.asyncHostCall(plan);
    if (call === undefined) return undefined;
    const guest = this.#callingGuest(plan);
    return { ...call.make(guest, call.host, call.resources, call.transfers), guest };
  }

  #callingGuest({ instance, options }: BuiltinOf<"lower">): CallingGuest {
    const number = this.component.contextNumber(instance, options);
    return (this.#callingGuests[number] ??= new CallingGuest(this, instance, options));
  }

  #realloc(instance: number, reference: CoreReference): Realloc {
    const run = this.core(reference) as Realloc;
    const { tasks } = this;
    const at = tasks?.instances[instance];
    if (tasks === undefined || at === undefined) return run;
    return (...values) => tasks.asSyncTask(at, () => run(...values));
  }

  state(instance: number): ComponentState {
    return known(this.states[instance]);
  }

  /** Remembers what ended the guest. @returns it as a fault */
  ended(error: unknown): GuestFault {
    this.guest.fault ??= guestFaultOf(error, "the guest failed");
    return this.guest.fault;
  }

  /** As before the first call, but for the memories, globals and tables of the core instances. */
  reset(): void {
    this.guest.fault = undefined;
    this.running = undefined;
    this.waits.reset();
    this.tasks?.reset();
    for (const state of this.states) state.reset();
  }

  /** What the host keeps for a guest of the synchronous ABI that waits, for `putBack`; nothing is kept then. */
  setAside(): AsideGuest {
    const aside = { fault: this.guest.fault, states: this.states.map((state) => state.setAside()) };
    this.guest.fault = undefined;
    this.running = undefined;
    return aside;
  }

  putBack({ fault, states }: AsideGuest): void {
    this.guest.fault = fault;
    for (const [index, state] of states.entries()) this.state(index).putBack(state);
  }

  #makeBuiltin(index: number): CoreFunction {
    if (this.tasks !== undefined) {
      const shim = this.component.blocking.get(index);
      if (shim !== undefined) return known(this.#shim).exports[String(shim)] as CoreFunction;
      return asyncBuiltin(this, this.tasks, known(this.component.plan.builtins[index]));
    }
    const fused = this.component.fused.get(known(this.component.plan.builtins[index]));
    if (fused !== undefined) return this.fusedExports(fused.group)[String(fused.index)] as CoreFunction;
    const lowered = this.component.lowered.get(index);
    if (lowered === undefined) {
      const plan = known(this.component.plan.builtins[index]) as ResourceBuiltinPlan;
      const destructor = plan.op === "resource.drop" ? this.component.waitingDestructor(plan.resource) : undefined;
      return (
        destructor === undefined ? resourceBuiltin(this, plan) : waitingDrop(this, plan, destructor)
      ) as CoreFunction;
    }
    if (lowered.shim === undefined) return lowerCall(this, lowered);
    return known(this.#shim).exports[String(lowered.shim)] as CoreFunction;
  }

  /** The core module between two components. */
  fusedExports(group: FusedGroup): Readonly<Record<string, unknown>> {
    return (this.#fused[group.number] ??= fusedCalls(this, group));
  }

  #makeShim(): WebAssembly.Instance | undefined {
    const { shim, lowered, blocking, plan } = this.component;
    if (shim === undefined) return undefined;
    const attempts: Record<string, CoreFunction> = {};
    for (const [index, at] of blocking) {
      if (this.tasks !== undefined) attempts[String(at)] = asyncBuiltin(this, this.tasks, known(plan.builtins[index]));
    }
    for (const call of lowered.values()) {
      if (call.shim !== undefined) attempts[String(call.shim)] = lowerCall(this, call);
    }
    const { wait, finish, pending } = this.tasks?.stacks ?? this.waits;
    const finishes = Object.fromEntries(["", "i32", "i64", "f32", "f64"].map((type) => [type, finish]));
    const state = { wait: new WebAssembly.Suspending(wait), pending };
    return new WebAssembly.Instance(shim, { try: attempts, finish: finishes, state });
  }
}

export type ResourceBuiltinPlan = BuiltinOf<"resource.new" | "resource.rep" | "resource.drop">;

function known<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new RangeError("the plan names what it does not hold");
  return value;
}
