import { parse } from "@bytecodealliance/jco";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { camelCase, type CoreValue, pascalCase } from "../../abi/codec.ts";
import { CopyEnd } from "../../abi/copy-end.ts";
import { HostFuture } from "../../abi/futures.ts";
import type { Handle } from "../../abi/handle-table.ts";
import { HostStream } from "../../abi/host-stream.ts";
import { Subtask } from "../../async/subtask.ts";
import { HostBinding } from "../../instance/host-binding.ts";
import { LinkedComponent } from "../../instance/linked-component.ts";
import { LiveInstance } from "../../instance/live-instance.ts";
import type { BuiltinOf, CanonicalOptions, LinkPlan, StringEncoding } from "../../link/link-plan.ts";
import type { FunctionType } from "../../link/value-type.ts";
import type { WasiFamily } from "../../requirements.ts";
import { chance } from "../../testing/samples.ts";
import { wasiInterfaces } from "../interfaces.ts";
import { mayWait } from "../waiting-imports.ts";
import { wasiAsyncFunction, wasiFunction } from "./wasi-functions.ts";
import { Thing, valueOf } from "./wasi-values.fixture.ts";

// Each function of WASI is called twice with the same core values and the same memory: through the codecs, which follow
// CanonicalABI.md type by type, and as the core function that is made of them. Whatever comes of it has to be the same: what
// the host is given, the result, every byte of the memory, the handles, and the trap.

interface Named {
  readonly interface: string;
  readonly name: string;
  readonly type: FunctionType;
  /** It is lowered so: the call does not wait for its end. */
  readonly async: boolean;
}

/** What the host does not give to a guest: the guest's own entry. */
const entries = ["wasi:cli/run", "wasi:http/incoming-handler", "wasi:cli/run@0.3", "wasi:http/handler@0.3"];

/** All of WASI; those that are `async` in both ways in which they can be called. */
const functionsOf = (family: WasiFamily): readonly Named[] =>
  Object.entries(wasiInterfaces(family).interfaces)
    .filter(([from]) => !entries.includes(from))
    .flatMap(([from, { functions }]) =>
      Object.entries(functions).flatMap(([name, type]) =>
        (type.async ? [false, true] : [false]).map((async) => ({ interface: from, name, type, async })),
      ),
    );

const memoryOf = { kind: "export", instance: 0, name: "memory" } as const;
const topOf = { kind: "export", instance: 0, name: "top" } as const;
const reallocOf = { kind: "export", instance: 0, name: "realloc" } as const;

type LowerPlan = BuiltinOf<"lower">;

function planOf(family: WasiFamily, encoding: StringEncoding): LinkPlan {
  const { types, resources } = wasiInterfaces(family);
  const functions = functionsOf(family);
  const options: CanonicalOptions = { encoding, memory: memoryOf, realloc: reallocOf, async: false };
  const asyncOptions = { ...options, async: true };
  return {
    types,
    resources: resources.map((named) => ({ kind: "host", ...named })),
    componentInstances: 1,
    instanceParents: [-1],
    hostFunctions: functions.map(({ interface: from, name }) => ({
      interface: `${from.replace("@0.3", "")}@${family}.0`,
      name,
    })),
    lifts: [],
    builtins: functions.map(({ type, async }, host) => ({
      op: "lower",
      instance: 0,
      callee: { kind: "host", host },
      type,
      options: async ? asyncOptions : options,
    })),
    steps: [{ op: "instantiate", module: 0, imports: [] }],
    exports: [],
  };
}

/** Space from the middle of one page on; what is asked for beyond its end is given as well, and trapped for. */
const guestText = `(module (memory (export "memory") 1) (global $top (export "top") (mut i32) (i32.const 32768))
  (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $top) (i32.const 15)) (i32.const -16)))
    (global.set $top (i32.add (local.get $at) (local.get 3))) (local.get $at)))`;
let guestModule: WebAssembly.Module;
beforeAll(async () => {
  guestModule = new WebAssembly.Module(await parse(guestText));
});

/** A guest that may call all of WASI, and a host that answers what it is told to. */
class Side {
  readonly live: LiveInstance;
  answer: unknown;
  /** What the host was last called with. */
  got: readonly unknown[] | undefined;

  constructor(family: WasiFamily, encoding: StringEncoding, isCore: boolean) {
    const plan = planOf(family, encoding);
    const component = new LinkedComponent({
      plan,
      modules: [guestModule],
      mayWait,
      ...(isCore ? { coreFunction: wasiFunction, asyncFunction: wasiAsyncFunction } : {}),
    });
    this.live = new LiveInstance(component, new HostBinding(plan.hostFunctions, this.#host(functionsOf(family))), 1000);
    void this.live.begin();
    // What a wrong pointer leads to: bytes that are no text, no case of a variant, no handle.
    const below = chance(family.length + encoding.length);
    const memory = this.memory;
    for (let index = 0; index < memory.length; index++) memory[index] = below(4) === 0 ? below(256) : below(8);
  }

  #host(functions: readonly Named[]): Record<string, unknown> {
    const answering = (...args: readonly unknown[]): unknown => {
      this.got = args.map(plain);
      return this.answer;
    };
    const host: Record<string, Record<string, unknown>> = {};
    for (const { interface: from, name } of functions) {
      const members = (host[from] ??= {});
      const [, form, resource = "", member = ""] = /^\[(\w+)\]([^.]+)(?:\.(.+))?$/.exec(name) ?? [];
      if (form === undefined) {
        members[camelCase(name)] = answering;
        continue;
      }
      const made = (members[pascalCase(resource)] ??= function make(...args: readonly unknown[]): unknown {
        return answering(...args);
      }) as { prototype: object };
      if (form === "static") Object.assign(made, { [camelCase(member)]: answering });
      if (form === "method") made.prototype = Things.prototype;
    }
    return host;
  }

  /** `isLate`: the guest has to wait for the answer, or is told of it. */
  async call(index: number, values: readonly CoreValue[], isLate: boolean): Promise<unknown> {
    this.got = undefined;
    const core = this.live.core({ kind: "builtin", builtin: index }) as (...values: readonly CoreValue[]) => unknown;
    try {
      // What a function gives that has no result is of no meaning.
      if (!isLate) return { returned: core(...values) ?? 0 };
      this.answer = Promise.resolve(this.answer);
      if (this.live.tasks !== undefined) {
        const returned = core(...values) ?? 0;
        await new Promise((resolve) => void setImmediate(resolve));
        if (this.live.guest.fault !== undefined) throw this.live.guest.fault;
        return { returned };
      }
      return { returned: (await WebAssembly.promising(core)(...values)) ?? 0 };
    } catch (error) {
      return { thrown: (error as Error).message };
    }
  }

  /** As before the first call, but for the memory. */
  reset(): void {
    this.live.reset();
    (this.live.core(topOf) as WebAssembly.Global).value = 32_768;
  }

  get memory(): Buffer {
    return Buffer.from((this.live.core(memoryOf) as WebAssembly.Memory).buffer);
  }

  /** Calls that have ended with a trap may leave handles lent: the guest is over. */
  handles(): unknown {
    return [...this.live.state(0).handles.items()].map((item) => {
      if (item instanceof CopyEnd)
        return { shared: plain(item.shared), transferred: item.transferred, side: item.side };
      if (item instanceof Subtask) return { state: item.state, isDelivered: item.isDelivered };
      const { resource, own, representation, lends } = item as Handle;
      const isOver = this.live.guest.fault !== undefined;
      return { resource, own, representation, ...(isOver ? {} : { lends }) };
    });
  }
}

/** Has every method of WASI; the object is the first of what it was called with. */
class Things extends Thing {}
let serving: Side | undefined;
for (const { name } of [...functionsOf("0.2"), ...functionsOf("0.3")]) {
  const method = camelCase(/^\[method\][^.]+\.(.+)$/.exec(name)?.[1] ?? "");
  if (method === "") continue;
  const value = function method(this: Thing, ...args: readonly unknown[]): unknown {
    if (serving === undefined) throw new Error("nobody is served");
    serving.got = [this, ...args.map(plain)];
    return serving.answer;
  };
  Object.defineProperty(Things.prototype, method, { value, configurable: true });
}

/** Streams and futures as they can be compared: their types. */
function plain(value: unknown): unknown {
  if (value instanceof HostStream || value instanceof HostFuture)
    return { host: value.constructor.name, type: value.type };
  if (Array.isArray(value)) return value.map(plain);
  return value;
}

interface Call {
  readonly values: readonly CoreValue[];
  readonly answer: unknown;
}

/** Core values for a call: right ones, or one of them anything. */
function makeCall({ live }: Side, { type, options }: LowerPlan, below: (below: number) => number): Call {
  let things = 0;
  const made = { types: live.component.plan.types, below, thing: () => new Things(things++) };
  const codec = live.component.codec(type, options.async);
  const state = live.state(0);
  const args = type.params.map((param) => valueOf(param.type, made));
  state.borrowing = { borrows: 0 };
  const values = [...codec.lowerParams(live.context(0, options), args)];
  state.borrowing = undefined;
  if (codec.lowered.params.length > values.length) values.push(8 * below(1000));
  const answer = type.result === undefined ? undefined : valueOf(type.result, made);
  if (below(2) === 0 && values.length > 0) {
    const at = below(values.length);
    const odd = [0, 1, 3, 7, 65_529, 65_536, -1, 2 ** 31 - 1, -(2 ** 31), below(64)][below(10)] ?? 0;
    values[at] = codec.lowered.params[at] === "i64" ? BigInt(odd) : odd;
  }
  return { values, answer };
}

const rounds = 25;
const reached = { returned: 0, waited: 0, trapped: 0 };
const traps = new Set<string>();
/** Functions that have not only trapped. */
const answered = new Set<string>();
const tested = new Set<string>();

const guests = (["utf8", "utf16", "latin1+utf16"] as const).flatMap(
  (encoding) =>
    [
      ["0.2", encoding],
      ["0.3", encoding],
    ] as const,
);

describe.each(guests)("a guest of WASI %s whose strings are %s", (family, encoding) => {
  const functions = functionsOf(family);
  let through: Side;
  let core: Side;
  beforeAll(() => {
    through = new Side(family, encoding, false);
    core = new Side(family, encoding, true);
  });

  const called = functions.map(({ interface: from, name, async }, index): [string, number] => {
    return [`${from}#${name}${async ? ", not waited for" : ""}`, index];
  });
  test.each(called)("%s, as a core function and through codecs", async (_, index) => {
    const plan = through.live.component.plan.builtins[index] as LowerPlan;
    for (let round = 0; round < rounds; round++) {
      const { interface: from, name, async } = functions[index]!;
      const isLate = round % 3 === 0 && (async || mayWait(from, name));
      const outcome = async (side: Side): Promise<unknown> => {
        serving = side;
        side.reset();
        const call = makeCall(side, plan, chance(1000 * index + round));
        side.answer = call.answer;
        const result = await side.call(index, call.values, isLate);
        return { call, result, got: side.got, handles: side.handles() };
      };
      const [expected, got] = [await outcome(through), await outcome(core)];
      expect(got).toEqual(expected);
      expect(core.memory.equals(through.memory)).toBe(true);
      const { thrown } = (got as { readonly result: { readonly thrown?: string } }).result;
      reached[thrown !== undefined ? "trapped" : isLate ? "waited" : "returned"]++;
      tested.add(functions[index]!.name);
      if (thrown === undefined) answered.add(functions[index]!.name);
      else traps.add(thrown.replaceAll(/\d+/g, "N"));
    }
  });
});

// Not by what a test could look at that runs before the others.
afterAll(() => {
  expect([...tested].filter((name) => !answered.has(name))).toEqual([]);
  for (const count of Object.values(reached)) expect(count).toBeGreaterThan(100);
  expect([...traps]).toEqual(
    expect.arrayContaining([
      "trap: N bytes at N are not in the guest's memory",
      "trap: a pointer, N, is not a multiple of N",
      "trap: a string is not valid utf-N",
      "trap: a string is not valid utf-Nle",
      "trap: a variant has N cases, and this is case N",
      "trap: there is no handle N",
      "trap: handle N is of another resource",
      "trap: a list has N bytes; N is the most",
    ]),
  );
});
