import { camelCase, pascalCase } from "../abi/codec.ts";
import type { HostFunctionPlan } from "../link/link-plan.ts";

/** A function of the host; of a method the object is the first argument. It may return a promise. */
export type HostFunction = (...args: readonly unknown[]) => unknown;

interface ResourceClass {
  new (...args: readonly unknown[]): object;
  readonly prototype: object;
}

/**
 * The functions that a component imports, found in the host's interfaces (by name, without version) when they are first
 * called. Names follow jco's rules: `[method]output-stream.check-write` is `checkWrite` of the class `OutputStream`.
 */
export class HostBinding {
  readonly #plans: readonly HostFunctionPlan[];
  readonly #interfaces: Readonly<Record<string, unknown>>;
  readonly #functions: (HostFunction | undefined)[];
  /** By the index of the function: 1 when it has been called. */
  readonly #isUsed: Uint8Array;

  constructor(plans: readonly HostFunctionPlan[], interfaces: Readonly<Record<string, unknown>>) {
    this.#plans = plans;
    this.#interfaces = interfaces;
    this.#functions = Array.from({ length: plans.length });
    this.#isUsed = new Uint8Array(plans.length);
  }

  /** `index`: of `LinkPlan.hostFunctions`. */
  callable(index: number): HostFunction {
    this.markUsed(index);
    return (this.#functions[index] ??= this.#find(index));
  }

  /** For a function that is reached without `callable`: a method of an object that the guest has. */
  markUsed(index: number): void {
    this.#isUsed[index] = 1;
  }

  /** Interfaces of which a function has been called, as the component writes them. */
  used(): readonly string[] {
    return this.#plans.filter((_, index) => this.#isUsed[index] === 1).map((plan) => plan.interface);
  }

  #find(index: number): HostFunction {
    const plan = this.#plans[index];
    if (plan === undefined) throw new RangeError(`the plan has no host function ${index}`);
    const members = own(this.#interfaces, familyOf(plan.interface)) as Members | undefined;
    const found = members === undefined ? undefined : findMember(members, plan.name);
    if (found === undefined) throw new TypeError(`the host has no ${plan.interface}#${plan.name}`);
    return found;
  }
}

/**
 * `wasi:io/streams@0.2.3` → `wasi:io/streams`, as jco's bindings call it. What WASI 0.3 has under the same names is
 * something else: `wasi:http/types@0.3.0` → `wasi:http/types@0.3`.
 */
export function familyOf(name: string): string {
  const at = name.lastIndexOf("@");
  if (at === -1) return name;
  return name.startsWith("0.3.", at + 1) ? `${name.slice(0, at)}@0.3` : name.slice(0, at);
}

type Members = Readonly<Record<string, unknown>>;

/**
 * A component names what it wants as it likes: `[static]fields.constructor` shall not be JavaScript's `Function`, nor
 * `[method]fields.to-string` what every object has.
 */
function own(members: object, name: string): unknown {
  return Object.hasOwn(members, name) ? (members as Members)[name] : undefined;
}

function ownMethod(members: object, name: string): HostFunction | undefined {
  const member = own(members, name);
  return typeof member === "function" ? (member as HostFunction) : undefined;
}

function findMember(members: Members, name: string): HostFunction | undefined {
  const special = /^\[(method|static|constructor)\]([^.]+)(?:\.(.+))?$/.exec(name);
  if (special === null) {
    return ownMethod(members, camelCase(name));
  }
  const [, form, resource = "", member = ""] = special;
  const resourceClass = ownMethod(members, pascalCase(resource)) as unknown as ResourceClass | undefined;
  if (resourceClass === undefined) return undefined;
  if (form === "constructor") return (...args) => new resourceClass(...args);
  if (form === "static") return ownMethod(resourceClass, camelCase(member));
  const method = inheritedMethod(resourceClass.prototype, camelCase(member));
  return method && ((self, ...args) => Reflect.apply(method, self, args));
}

/** Of the class itself and of those that it extends. */
function inheritedMethod(prototype: object, name: string): HostFunction | undefined {
  if (name === "constructor") return undefined;
  let holder: object | null = prototype;
  while (holder !== null && holder !== Object.prototype) {
    if (Object.hasOwn(holder, name)) return ownMethod(holder, name);
    holder = Object.getPrototypeOf(holder) as object | null;
  }
  return undefined;
}
