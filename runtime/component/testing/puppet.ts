import { parse } from "@bytecodealliance/jco";
import { asyncComponent } from "./async-component.ts";
import { type Guest, guestOf, type GuestOptions } from "./guest.ts";

// A component that does nothing of its own accord: each built-in of streams, futures and waitable sets is an export, so that
// a test, or a schedule made by chance, is written in JavaScript.

type Params = readonly ("i32" | "i64")[];

/** An export that calls the built-in of its name: canonical definition, core parameters, core result. */
type Export = readonly [canon: string, params: number, result: "i32" | "i64" | ""];

const builtins = {
  "new-stream": ["stream.new $S", 0, "i64"],
  read: ["stream.read $S async (memory $memory) (realloc $realloc)", 3, "i32"],
  write: ["stream.write $S async (memory $memory) (realloc $realloc)", 3, "i32"],
  "cancel-read": ["stream.cancel-read $S async", 1, "i32"],
  "cancel-write": ["stream.cancel-write $S async", 1, "i32"],
  "drop-readable": ["stream.drop-readable $S", 1, ""],
  "drop-writable": ["stream.drop-writable $S", 1, ""],
  "new-future": ["future.new $F", 0, "i64"],
  "read-future": ["future.read $F async (memory $memory) (realloc $realloc)", 2, "i32"],
  "write-future": ["future.write $F async (memory $memory) (realloc $realloc)", 2, "i32"],
  "cancel-read-future": ["future.cancel-read $F async", 1, "i32"],
  "cancel-write-future": ["future.cancel-write $F async", 1, "i32"],
  "drop-readable-future": ["future.drop-readable $F", 1, ""],
  "drop-writable-future": ["future.drop-writable $F", 1, ""],
  "set-new": ["waitable-set.new", 0, "i32"],
  "set-drop": ["waitable-set.drop", 1, ""],
  poll: ["waitable-set.poll (memory $memory)", 2, "i32"],
  join: ["waitable.join", 2, ""],
  "subtask-drop": ["subtask.drop", 1, ""],
  "subtask-cancel": ["subtask.cancel async", 1, "i32"],
  "backpressure-inc": ["backpressure.inc", 0, ""],
  "backpressure-dec": ["backpressure.dec", 0, ""],
  "error-new": ["error-context.new (memory $memory)", 2, "i32"],
  "error-message": ["error-context.debug-message (memory $memory) (realloc $realloc)", 2, ""],
  "error-drop": ["error-context.drop", 1, ""],
  "slot-get": ["context.get i32 0", 0, "i32"],
  "slot-set": ["context.set i32 0", 1, ""],
} as const satisfies Readonly<Record<string, Export>>;

/** Those that block: their exports are async functions, lifted without `async`. */
const blocking = {
  "read-sync": ["stream.read $S (memory $memory) (realloc $realloc)", 3, "i32"],
  "write-sync": ["stream.write $S (memory $memory) (realloc $realloc)", 3, "i32"],
  "cancel-read-sync": ["stream.cancel-read $S", 1, "i32"],
  "read-future-sync": ["future.read $F (memory $memory) (realloc $realloc)", 2, "i32"],
  "write-future-sync": ["future.write $F (memory $memory) (realloc $realloc)", 2, "i32"],
  wait: ["waitable-set.wait (memory $memory)", 2, "i32"],
  yield: ["thread.yield", 0, "i32"],
} as const satisfies Readonly<Record<string, Export>>;

/** What passes through as it is, in and out. */
const passed = {
  stream: "$S",
  future: "$F",
  error: "error-context",
} as const;

export interface PuppetOptions extends GuestOptions {
  /** What its streams and futures carry, as text; "" for nothing. */
  readonly item?: string;
}

function puppetText(item: string): string {
  const all: Readonly<Record<string, Export>> = { ...builtins, ...blocking };
  const core: string[] = [
    `(func (export "poke") (param i32 i32) (i32.store (local.get 0) (local.get 1)))`,
    `(func (export "peek") (param i32) (result i32) (i32.load (local.get 0)))`,
  ];
  const exports: Record<string, readonly [string, string]> = {
    poke: [`(param "p0" u32) (param "p1" u32)`, ""],
    peek: [`(param "p0" u32) (result u32)`, ""],
  };
  for (const [name, [, params, result]] of Object.entries(all)) {
    core.push(wrapper(name, params, result));
    const type = typeOf(
      Array.from({ length: params }, () => "i32"),
      result,
    );
    exports[name] = [name in blocking ? `async ${type}` : type, ""];
  }
  for (const [name, type] of Object.entries(passed)) {
    for (const verb of ["give", "take"])
      core.push(`(func (export "${verb}-${name}") (param i32) (result i32) (local.get 0))`);
    exports[`give-${name}`] = [`(param "p0" u32) (result ${type})`, ""];
    exports[`take-${name}`] = [`(param "p0" ${type}) (result u32)`, ""];
  }
  return asyncComponent({
    before: `(type $S (stream ${item})) (type $F (future ${item}))`,
    builtins: Object.fromEntries(Object.entries(all).map(([name, [canon]]) => [name, canon])),
    core: core.join("\n"),
    exports,
  });
}

function wrapper(name: string, params: number, result: string): string {
  const values = Array.from({ length: params }, (_, index) => `(local.get ${index})`).join(" ");
  const type = `${params === 0 ? "" : `(param${" i32".repeat(params)})`} ${result === "" ? "" : `(result ${result})`}`;
  return `(func (export "${name}") ${type} (call $${name} ${values}))`;
}

function typeOf(params: Params, result: string): string {
  const results: Readonly<Record<string, string>> = { "": "", i32: "(result s32)", i64: "(result u64)" };
  return `${params.map((_, index) => `(param "p${index}" u32)`).join(" ")} ${results[result]}`;
}

/** One instance of the puppet. */
export class Puppet {
  readonly guest: Guest;
  readonly #instance: string;

  constructor(guest: Guest, instance: string) {
    this.guest = guest;
    this.#instance = instance;
  }

  call(
    name: keyof typeof builtins | `${"give" | "take"}-${keyof typeof passed}`,
    ...values: readonly unknown[]
  ): unknown {
    return this.guest.call(`${this.#instance}#${name}`, ...values);
  }

  /** One that blocks. */
  async wait(name: keyof typeof blocking, ...values: readonly unknown[]): Promise<unknown> {
    return this.guest.call(`${this.#instance}#${name}`, ...values);
  }

  /** Indexes of the readable and the writable end. */
  ends(make: "new-stream" | "new-future"): readonly [readable: number, writable: number] {
    const both = this.call(make) as bigint;
    return [Number(both & 0xffff_ffffn), Number(both >> 32n)];
  }

  poke(address: number, ...words: readonly number[]): void {
    for (const [index, word] of words.entries()) this.guest.call(`${this.#instance}#poke`, address + 4 * index, word);
  }

  peek(address: number): number {
    return this.guest.call(`${this.#instance}#peek`, address) as number;
  }

  /** What the event says that a waitable set gives; undefined for none. */
  poll(set: number): readonly [code: number, index: number, payload: number] | undefined {
    const code = this.call("poll", set, 0) as number;
    return code === 0 ? undefined : [code, this.peek(0), this.peek(4) | 0];
  }
}

const parsed = new Map<string, Promise<Uint8Array>>();

/** The component that two puppets are in. */
export async function parsePuppets(item: string): Promise<Uint8Array> {
  const text = puppetText(item).replace("(component", "(component $Puppet");
  return parse(`(component ${text}
    (instance $a (instantiate $Puppet)) (instance $b (instantiate $Puppet))
    (export "test:puppet/a" (instance $a)) (export "test:puppet/b" (instance $b)))`);
}

/** Two puppets in one component: what one gives the other can take. */
export async function puppets({ item = "u8", ...options }: PuppetOptions = {}): Promise<readonly [Puppet, Puppet]> {
  const component = parsed.get(item) ?? parsePuppets(item);
  parsed.set(item, component);
  const guest = guestOf(await component, options);
  return [new Puppet(guest, "test:puppet/a"), new Puppet(guest, "test:puppet/b")];
}

/** What built-ins return. */
export const blocked = -1;
export const completed = (count = 0): number => count << 4;
export const dropped = (count = 0): number => 1 | (count << 4);
export const cancelled = (count = 0): number => 2 | (count << 4);
