import { parse } from "@bytecodealliance/jco";
import { describe, expect, test } from "vitest";
import { BinaryError } from "../leb128.ts";
import * as fixture from "./components.fixture.ts";
import type { CoreReference, LinkPlan } from "./link-plan.ts";
import { planLinks } from "./plan-links.ts";
import type { ValueType } from "./value-type.ts";

const planOf = async (text: string): Promise<LinkPlan> => planLinks(await parse(text)).plan;

const exported = (instance: number, name: string): CoreReference => ({ kind: "export", instance, name });
const builtin = (index: number): CoreReference => ({ kind: "builtin", builtin: index });
const sync = { encoding: "utf8", async: false };

test("a component without imports is one core instance and a lift", async () => {
  const { plan, modules } = planLinks(await parse(fixture.adder));
  expect(plan).toEqual({
    types: [{ kind: "u32" }],
    resources: [],
    componentInstances: 1,
    instanceParents: [-1],
    hostFunctions: [],
    lifts: [
      {
        core: exported(0, "add"),
        type: {
          params: [
            { name: "a", type: 0 },
            { name: "b", type: 0 },
          ],
          result: 0,
          async: false,
        },
        options: sync,
        instance: 0,
      },
    ],
    builtins: [],
    steps: [{ op: "instantiate", module: 0, imports: [] }],
    exports: [{ kind: "function", name: "add", callee: { kind: "lift", lift: 0 } }],
  });
  const add = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(modules[0]!))).exports["add"];
  expect((add as (a: number, b: number) => number)(2, 3)).toBe(5);
});

test("core modules are views of the component's bytes", async () => {
  const component = await parse(fixture.shimmed);
  const { modules } = planLinks(component);
  expect(modules).toHaveLength(3);
  for (const module of modules) expect(module.buffer).toBe(component.buffer);
});

test("memory, realloc, post-return and encoding are options of the lift", async () => {
  const plan = await planOf(fixture.greeter);
  expect(plan.lifts[0]?.options).toEqual({
    encoding: "utf16",
    async: false,
    memory: exported(0, "memory"),
    realloc: exported(0, "realloc"),
    postReturn: exported(0, "free"),
  });
  expect(plan.exports).toEqual([
    {
      kind: "instance",
      name: "test:greet/greetings@1.0.0",
      functions: [{ name: "greet", callee: { kind: "lift", lift: 0 } }],
    },
  ]);
});

test("a shim, the module behind it and the fixup are wired through bags", async () => {
  const plan = await planOf(fixture.shimmed);
  expect(plan.steps).toEqual([
    { op: "instantiate", module: 1, imports: [] },
    {
      op: "instantiate",
      module: 0,
      imports: [{ module: "test:log/logger@0.1.0", name: "log", reference: exported(0, "0") }],
    },
    {
      op: "instantiate",
      module: 2,
      imports: [
        { module: "", name: "0", reference: builtin(0) },
        { module: "", name: "$imports", reference: exported(0, "$imports") },
      ],
    },
  ]);
  const type = { params: [{ name: "line", type: 0 }], async: false };
  expect(plan.hostFunctions).toEqual([{ interface: "test:log/logger@0.1.0", name: "log" }]);
  expect(plan.builtins).toEqual([
    {
      op: "lower",
      instance: 0,
      callee: { kind: "host", host: 0 },
      type,
      options: { ...sync, memory: exported(1, "memory") },
    },
  ]);
});

test("a component that is instantiated twice has two instances, each with what it was given", async () => {
  const plan = await planOf(fixture.nested);
  expect(plan.instanceParents).toEqual([-1, 0, 0]);
  expect(plan.hostFunctions).toMatchObject([{ interface: "", name: "one" }]);
  expect(plan.builtins).toMatchObject([
    { op: "lower", instance: 1, callee: { kind: "host", host: 0 } },
    { op: "lower", instance: 2, callee: { kind: "lift", lift: 0 } },
  ]);
  expect(plan.lifts).toMatchObject([
    { core: exported(0, "g"), instance: 1 },
    { core: exported(1, "g"), instance: 2 },
  ]);
  expect(plan.steps).toMatchObject([
    { module: 0, imports: [{ reference: builtin(0) }] },
    { module: 0, imports: [{ reference: builtin(1) }] },
  ]);
  expect(plan.exports).toEqual([{ kind: "function", name: "three", callee: { kind: "lift", lift: 1 } }]);
});

test("a resource that one component defines is the one that another imports", async () => {
  const plan = await planOf(fixture.composed);
  expect(plan.resources).toEqual([{ kind: "guest", instance: 1, destructor: exported(0, "drop") }]);
  expect(plan.types).toEqual([{ kind: "u32" }, { kind: "own", resource: 0 }]);
  expect(plan.builtins).toMatchObject([
    { op: "resource.new", instance: 1, resource: 0 },
    { op: "resource.rep", instance: 1, resource: 0 },
    { op: "resource.drop", instance: 2, resource: 0 },
    { op: "lower", instance: 2, callee: { kind: "lift", lift: 0 }, type: { result: 1 } },
  ]);
});

test("a component that is instantiated twice has two resources", async () => {
  const twice = fixture.composed.replace(
    `(export "run" (func $taker "run"))`,
    `(instance $maker2 (instantiate $maker)) (instance $taker2 (instantiate $taker (with "maker" (instance $maker2))))`,
  );
  const plan = await planOf(twice);
  expect(plan.resources).toMatchObject([
    { kind: "guest", instance: 1 },
    { kind: "guest", instance: 3 },
  ]);
});

test("a module and a type of an outer component are found, and bags are exported", async () => {
  const plan = await planOf(fixture.outerAliases);
  expect(plan.steps).toEqual([{ op: "instantiate", module: 0, imports: [] }]);
  expect(plan.types).toEqual([{ kind: "enum", names: ["red", "green"] }]);
  expect(plan.exports).toMatchObject([{ kind: "instance", name: "picker", functions: [{ name: "pick" }] }]);
});

test("a resource of one interface that another uses is one resource; what is used twice is there once", async () => {
  const plan = await planOf(fixture.sharedResource);
  expect(plan.resources).toEqual([
    { kind: "host", interface: "test:io/streams@0.2.0", name: "output-stream" },
    { kind: "host", interface: "test:http/types@0.2.0", name: "outgoing-body" },
  ]);
  expect(plan.types).toEqual([
    { kind: "borrow", resource: 0 },
    { kind: "borrow", resource: 1 },
    { kind: "own", resource: 0 },
  ]);
  expect(plan.hostFunctions.map(({ name }) => name)).toEqual([
    "[method]output-stream.flush",
    "[method]outgoing-body.write",
  ]);
  expect(plan.builtins.map(({ op }) => op)).toEqual(["lower", "lower", "resource.drop"]);
  expect(plan.steps[0]?.imports.map(({ reference }) => reference)).toEqual([0, 0, 1, 2, 2].map(builtin));
});

test("types are in the plan once each, those that are used before those that use them", async () => {
  const plan = await planOf(fixture.allTypes);
  const type = (index: number | undefined): ValueType | undefined => plan.types[index ?? -1];
  const lowered = plan.builtins.find(({ op }) => op === "lower");
  if (lowered?.op !== "lower") throw new Error("the component lowers nothing");
  const { params, result } = lowered.type;
  const shapes = params.map(({ type: index }) => type(index));
  expect(shapes).toMatchObject([
    { kind: "tuple" },
    { kind: "list", length: 4 },
    { kind: "variant", cases: [{ name: "none" }, { name: "some" }] },
    { kind: "flags", names: ["x", "y"] },
    { kind: "enum", names: ["red", "green"] },
    { kind: "list" },
  ]);
  // A map is a list of pairs.
  const [, , , , , map] = shapes;
  expect(type(map?.kind === "list" ? map.element : -1)).toMatchObject({ kind: "tuple" });
  expect(type(result)).toMatchObject({ kind: "result", ok: params[0]?.type });
  expect(new Set(plan.types.map((one) => JSON.stringify(one))).size).toBe(plan.types.length);
  for (const [index, one] of plan.types.entries()) {
    for (const used of JSON.stringify(one).matchAll(/"(?:type|element|some|ok|err)":(\d+)/g)) {
      expect(Number(used[1])).toBeLessThan(index);
    }
  }
});

test("every built-in of WASI 0.3 is planned", async () => {
  const plan = await planOf(fixture.asynchronous);
  const memory = exported(0, "memory");
  const realloc = exported(0, "realloc");
  const [bytes, later] = [2, 4];
  expect([plan.types[bytes], plan.types[later]]).toEqual([
    { kind: "stream", element: 1 },
    { kind: "future", element: 3 },
  ]);
  const expected = [
    { op: "task.return", result: 0, options: { ...sync, memory } },
    { op: "task.return", options: sync },
    { op: "task.cancel" },
    { op: "context.get", slot: 0 },
    { op: "context.set", slot: 1 },
    { op: "backpressure.inc" },
    { op: "backpressure.dec" },
    { op: "subtask.cancel", async: true },
    { op: "subtask.drop" },
    { op: "thread.yield", cancellable: false },
    { op: "waitable-set.new" },
    { op: "waitable-set.wait", cancellable: false, memory },
    { op: "waitable-set.poll", cancellable: false, memory },
    { op: "waitable-set.drop" },
    { op: "waitable.join" },
    { op: "stream.new", type: bytes },
    { op: "stream.read", type: bytes, options: { encoding: "utf8", async: true, memory } },
    { op: "stream.write", type: bytes, options: { ...sync, memory } },
    { op: "stream.cancel-read", type: bytes, async: false },
    { op: "stream.cancel-write", type: bytes, async: true },
    { op: "stream.drop-readable", type: bytes },
    { op: "stream.drop-writable", type: bytes },
    { op: "future.new", type: later },
    { op: "future.read", type: later, options: { ...sync, memory, realloc } },
    { op: "future.write", type: later, options: { encoding: "utf8", async: true, memory } },
    { op: "future.cancel-read", type: later, async: true },
    { op: "future.cancel-write", type: later, async: false },
    { op: "future.drop-readable", type: later },
    { op: "future.drop-writable", type: later },
    { op: "error-context.new", options: { ...sync, memory } },
    { op: "error-context.debug-message", options: { ...sync, memory, realloc } },
    { op: "error-context.drop" },
  ];
  expect(plan.builtins).toEqual(expected.map((one) => ({ ...one, instance: 0 })));
  expect(plan.lifts).toMatchObject([
    { type: { async: true, result: 0 }, options: { async: true, callback: exported(1, "callback") } },
  ]);
});

test("an exported instance shows what its type names, and no more", async () => {
  const plan = await planOf(`(component
    (core module $m (func (export "f")))
    (core instance $i (instantiate $m))
    (func $f (canon lift (core func $i "f")))
    (instance $i (export "shown" (func $f)) (export "hidden" (func $f)))
    (export "i" (instance $i) (instance (export "shown" (func)))))`);
  expect(plan.exports).toMatchObject([{ functions: [{ name: "shown" }] }]);
});

describe("a component that does not fit together is refused", () => {
  const given = (what: string) => `(component
    (core module $m (import "a" "f" (func)))
    (core module $other (func (export "f")) (func (export "g")) (memory (export "memory") 1))
    (core instance $other (instantiate $other))
    ${what})`;
  test.each([
    ["a core module without its import", given(`(core instance (instantiate $m))`)],
    [
      "a core module that is given another name",
      given(`(core instance (instantiate $m (with "b" (instance $other))))`),
    ],
    ["an alias of nothing", given(`(alias core export $other "h" (core func))`)],
    ["an alias of another sort", given(`(alias core export $other "memory" (core func))`)],
    [
      "a core function that is given a memory",
      given(`(core instance (instantiate $m (with "a" (instance (export "f" (memory $other "memory"))))))`),
    ],
    ["a component without its import", `(component (component $c (import "f" (func))) (instance (instantiate $c)))`],
    [
      "a component that is given another sort",
      `(component (component $c (import "f" (func))) (instance $i) (instance (instantiate $c (with "f" (instance $i)))))`,
    ],
    [
      "a component that is given another type",
      `(component (import "f" (func $f (param "a" u8)))
        (component $c (import "f" (func (param "a" u16)))) (instance (instantiate $c (with "f" (func $f)))))`,
    ],
    [
      "a component that is given another resource",
      `(component
        (import "i" (instance $i (export "r" (type (sub resource)))))
        (import "j" (instance $j (export "s" (type $s (sub resource))) (export "f" (func (param "r" (borrow $s))))))
        (component $c
          (import "r" (type $r (sub resource)))
          (import "f" (func (param "r" (borrow $r)))))
        (instance (instantiate $c (with "r" (type $i "r")) (with "f" (func $j "f")))))`,
    ],
    [
      "a component that is given an instance without a function",
      `(component (component $c (import "i" (instance (export "f" (func))))) (instance $i)
        (instance (instantiate $c (with "i" (instance $i)))))`,
    ],
    [
      "resource.rep of the host's resource",
      `(component (import "r" (type $r (sub resource))) (core func (canon resource.rep $r)))`,
    ],
    [
      "a string without a memory",
      `(component (import "f" (func $f (param "a" string))) (core func (canon lower (func $f))))`,
    ],
    [
      "a borrowed handle as a result",
      `(component (import "r" (type $r (sub resource)))
        (import "f" (func (result (borrow $r)))))`,
    ],
    [
      "a function that is not async, lowered as if it were",
      `(component (import "f" (func $f)) (core func (canon lower (func $f) async)))`,
      "not async",
    ],
    ["a stream of char", `(component (type (stream char)))`, "char"],
    ["a stream built-in on a future", `(component (type $f (future u8)) (core func (canon stream.new $f)))`],
    ["a core module from the host", `(component (import "m" (core module)))`, "core module"],
    ["a component from the host", `(component (import "c" (component)))`, "component"],
  ])("%s", async (_, text, mentioned = "") => {
    const component = await parse(text);
    expect(() => planLinks(component)).toThrow(BinaryError);
    expect(() => planLinks(component)).toThrow(/at byte 0x[0-9a-f]+$/);
    expect(() => planLinks(component)).toThrow(mentioned);
  });
});
