import { describe, expect, test } from "vitest";
import type { HostFunctionPlan } from "../link/link-plan.ts";
import { guestOfText } from "../testing/guest.ts";
import { HostBinding } from "./host-binding.ts";

class Base {
  inherited(): string {
    return `inherited of ${(this as unknown as Thing).name}`;
  }
}

class Thing extends Base {
  readonly name: string;

  constructor(name = "new") {
    super();
    this.name = name;
  }

  checkName(prefix: string): string {
    return prefix + this.name;
  }

  get accessor(): string {
    return this.name;
  }

  static fromName(name: string): Thing {
    return new Thing(name);
  }

  // A name that every object has, of its own.
  override toString(): string {
    return `thing ${this.name}`;
  }
}

const interfaces = {
  "test:host/api": { Thing, plainFunction: (x: number) => x + 1, aNumber: 3 },
};

const named = (name: string, from = "test:host/api@0.2.3"): HostFunctionPlan => ({
  interface: from,
  name,
});
const find = (plan: HostFunctionPlan) => new HostBinding([plan], interfaces).callable(0);

describe("a function of the host", () => {
  test.each([
    { name: "plain-function", args: [1], is: 2 },
    { name: "[method]thing.check-name", args: [new Thing("a"), "the "], is: "the a" },
    { name: "[method]thing.inherited", args: [new Thing("a")], is: "inherited of a" },
    { name: "[method]thing.to-string", args: [new Thing("a")], is: "thing a" },
    { name: "[static]thing.from-name", args: ["b"], is: new Thing("b") },
    { name: "[constructor]thing", args: ["c"], is: new Thing("c") },
  ])("$name is found", ({ name, args, is }) => {
    expect(find(named(name))(...args)).toEqual(is);
  });

  // A component may ask for any name: what is not of the interface itself is not there. `Function` would run any text.
  test.each([
    "constructor",
    "to-string",
    "value-of",
    "has-own-property",
    "__proto__",
    "a-number",
    "thing",
    "Thing",
    "missing",
    "[static]thing.constructor",
    "[static]thing.call",
    "[static]thing.apply",
    "[static]thing.bind",
    "[static]thing.prototype",
    "[static]thing.name",
    "[method]thing.constructor",
    "[method]thing.value-of",
    "[method]thing.has-own-property",
    "[method]thing.__proto__",
    "[method]constructor.name",
    "[constructor]object",
    "[constructor]missing",
    "[method]plain-function.call",
    "[async]plain-function",
    "[method]thing",
    "",
  ])("%s is not found", (name) => {
    expect(() => find(named(name))).toThrow(/the host has no/);
  });

  test.each(["constructor", "__proto__", "toString", "test:host/other", ""])(
    "of the interface %s is not found",
    (from) => {
      expect(() => find(named("assign", from))).toThrow(/the host has no/);
    },
  );

  test("is looked for once, and its interface is said to be used", () => {
    const binding = new HostBinding([named("plain-function"), named("[method]thing.check-name")], interfaces);
    expect(binding.used()).toEqual([]);
    expect(binding.callable(0)).toBe(binding.callable(0));
    expect(binding.used()).toEqual(["test:host/api@0.2.3"]);
  });
});

test("a component that asks for JavaScript's Function is over", async () => {
  const guest = await guestOfText(
    `(component
      (import "test:host/api" (instance $api
        (export "thing" (type $thing (sub resource)))
        (export "[static]thing.constructor" (func (param "text" string) (result (own $thing))))))
      (core module $Space (memory (export "memory") 1) (data (i32.const 16) "return 1"))
      (core instance $space (instantiate $Space))
      (core func $make (canon lower (func $api "[static]thing.constructor") (memory (core memory $space "memory"))))
      (core module $Guest
        (import "host" "make" (func $make (param i32 i32) (result i32)))
        (func (export "run") (drop (call $make (i32.const 16) (i32.const 8)))))
      (core instance $guest (instantiate $Guest (with "host" (instance (export "make" (func $make))))))
      (func (export "run") (canon lift (core func $guest "run"))))`,
    { host: { "test:host/api": { Thing } } },
  );
  expect(() => guest.call("run")).toThrow(/the host has no/);
});

test("a component may export what it imports", async () => {
  const text = `(component
    (import "test:host/api" (instance $api (export "f" (func (result u32)))))
    (export "f" (func $api "f")))`;
  const right = await guestOfText(text, { host: { "test:host/api": { f: () => 7 } } });
  expect(right.call("f")).toBe(7);
  const wrong = await guestOfText(text);
  expect(() => wrong.call("f")).toThrow(expect.objectContaining({ code: "GUEST_FAILED" }));
});
