import { parse } from "@bytecodealliance/jco";
import type { GuestCall } from "../abi/stream.ts";
import { exposeState } from "../core-module/expose-state.ts";
import { HostBinding } from "../instance/host-binding.ts";
import { LinkedComponent } from "../instance/linked-component.ts";
import { LiveInstance } from "../instance/live-instance.ts";
import type { Callee } from "../link/link-plan.ts";
import { planLinks } from "../link/plan-links.ts";
import { wasiAsyncFunction, wasiFunction } from "../wasi/lowered/wasi-functions.ts";

export type Host = Readonly<Record<string, unknown>>;

export interface GuestOptions {
  /** By the name of the interface. */
  readonly host?: Host;
  /** Functions that may return a promise, as `test:host/api#wait`. */
  readonly waiting?: readonly string[];
  readonly handlesMax?: number;
  /** WASI's functions are core functions, as they are in pods, and go through no codecs. */
  readonly isWasiLowered?: boolean;
  /** Its built-ins that wait may be told to stop: the text of components has no word for it that jco's tools read. */
  readonly cancellable?: boolean;
}

/** A component that is run, with its functions by name. */
export class Guest {
  readonly live: LiveInstance;

  constructor(live: LiveInstance) {
    this.live = live;
  }

  /** `name`: of a function, or `interface#function`. @returns what `LiveInstance.call` does */
  call(name: string, ...args: readonly unknown[]): unknown {
    return this.live.call(this.#callee(name), args);
  }

  /** Begins a call of an async function. */
  start(name: string, ...args: readonly unknown[]): GuestCall {
    return this.live.start(this.#callee(name), args);
  }

  /** What a core module of it exports as a global. */
  global(name: string): unknown {
    const holder = this.live.coreInstances.find(({ exports }) => exports[name] instanceof WebAssembly.Global);
    return (holder?.exports[name] as WebAssembly.Global | undefined)?.value;
  }

  #callee(name: string): Callee {
    const [first = "", second] = name.split("#");
    for (const exported of this.live.component.plan.exports) {
      if (exported.name !== first) continue;
      if (exported.kind === "function") return exported.callee;
      const found = exported.functions.find((inner) => inner.name === second);
      if (found !== undefined) return found.callee;
    }
    throw new RangeError(`the component exports no ${name}`);
  }
}

/** Links and instantiates a component, whose start functions must not have to wait. */
export function guestOf(bytes: Uint8Array, options: GuestOptions = {}): Guest {
  const live = liveOf(bytes, options);
  if (live.begin() !== undefined) throw new Error("the guest's start may have to wait: use guestOfText");
  return new Guest(live);
}

/** The same from the component's text, and start functions may wait. */
export async function guestOfText(text: string, options: GuestOptions = {}): Promise<Guest> {
  const live = liveOf(await parse(text), options);
  await live.begin();
  return new Guest(live);
}

function liveOf(bytes: Uint8Array, options: GuestOptions): LiveInstance {
  const { host = {}, waiting = [], handlesMax = 1000, isWasiLowered = false, cancellable = false } = options;
  const { plan: planned, modules } = planLinks(bytes);
  const builtins = planned.builtins.map((one) => ("cancellable" in one && cancellable ? { ...one, cancellable } : one));
  const plan = { ...planned, builtins };
  const exposed = modules.map(exposeState);
  const linked = new LinkedComponent({
    plan,
    modules: exposed.map((module) => new WebAssembly.Module(module.bytes)),
    starts: exposed.map(({ state }) => state.start),
    mayWait: (family, name) => waiting.includes(`${family}#${name}`),
    ...(isWasiLowered ? { coreFunction: wasiFunction, asyncFunction: wasiAsyncFunction } : {}),
  });
  return new LiveInstance(linked, new HostBinding(plan.hostFunctions, host), handlesMax);
}
