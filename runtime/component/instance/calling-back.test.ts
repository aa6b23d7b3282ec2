import { describe, expect, test } from "vitest";
import { guestOfText } from "../testing/guest.ts";

// When a guest may be entered and left (CanonicalABI.md, "may_leave", "may_enter"), and that nothing of it runs after a trap:
// a guest can catch an exception of JavaScript (exceptions proposal, `catch_all`), and ours are such.

const failed = expect.objectContaining({ code: "GUEST_FAILED" });

interface CoreBodies {
  readonly run?: string;
  readonly end?: string;
  readonly realloc?: string;
  readonly start?: string;
  readonly dtor?: string;
}

/** `call`: calls the host's `fail` and catches whatever it throws. */
const callAndCatch = "(block $caught (try_table (catch_all $caught) (call $fail)))";

const component = ({
  run = "",
  end = "",
  realloc = "(i32.const 16)",
  start = "",
  dtor = "",
}: CoreBodies): string => `(component
  (import "test:host/api" (instance $api
    (export "fail" (func)) (export "mark" (func (param "n" u32)))))
  (core func $fail (canon lower (func $api "fail")))
  (core func $mark (canon lower (func $api "mark")))
  (core module $Destructor
    (import "host" "fail" (func $fail))
    (import "host" "mark" (func $mark (param i32)))
    (func (export "dtor") (param i32) ${dtor}))
  (core instance $destructor (instantiate $Destructor (with "host" (instance
    (export "fail" (func $fail)) (export "mark" (func $mark))))))
  (type $R (resource (rep i32) (dtor (core func $destructor "dtor"))))
  (core func $new (canon resource.new $R))
  (core func $rep (canon resource.rep $R))
  (core func $drop (canon resource.drop $R))
  (core module $Guest
    (import "host" "fail" (func $fail))
    (import "host" "mark" (func $mark (param i32)))
    (import "host" "new" (func $new (param i32) (result i32)))
    (import "host" "rep" (func $rep (param i32) (result i32)))
    (import "host" "drop" (func $drop (param i32)))
    (memory (export "memory") 1)
    (func $start ${start})
    (start $start)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) ${realloc})
    (func (export "run") (result i32) ${run} (i32.const 42))
    (global $taken (export "taken") (mut i32) (i32.const 0))
    (func (export "take") (param i32 i32) (global.set $taken (i32.const 1)) (call $mark (i32.const 7)))
    (func (export "end") (param $result i32) ${end})
    (func (export "fine")))
  (core instance $guest (instantiate $Guest (with "host" (instance
    (export "fail" (func $fail)) (export "mark" (func $mark))
    (export "new" (func $new)) (export "rep" (func $rep)) (export "drop" (func $drop))))))
  (func (export "run") (result u32) (canon lift (core func $guest "run") (post-return (core func $guest "end"))))
  (func (export "take") (param "x" string) (canon lift (core func $guest "take")
    (memory (core memory $guest "memory")) (realloc (core func $guest "realloc"))))
  (func (export "fine") (canon lift (core func $guest "fine"))))`;

async function made(bodies: CoreBodies, fail?: () => void) {
  const marks: unknown[] = [];
  const api = {
    fail:
      fail ??
      (() => {
        throw new TypeError("the host's own trouble");
      }),
    mark: (n: unknown) => void marks.push(n),
  };
  return { marks, guest: await guestOfText(component(bodies), { host: { "test:host/api": api } }) };
}

describe("a guest that catches what was thrown through it is over all the same", () => {
  const rows: readonly { readonly name: string; readonly bodies: CoreBodies; readonly call?: readonly unknown[] }[] = [
    { name: "in a call", bodies: { run: callAndCatch } },
    { name: "and calls out again", bodies: { run: `${callAndCatch} (call $mark (i32.const 1))` } },
    {
      name: "and calls out again, and catches that too",
      bodies: { run: `${callAndCatch} (block $c (try_table (catch_all $c) (call $mark (i32.const 1))))` },
    },
    { name: "and makes a resource", bodies: { run: `${callAndCatch} (drop (call $new (i32.const 1)))` } },
    { name: "in its post-return function", bodies: { end: callAndCatch } },
    { name: "in realloc", bodies: { realloc: `${callAndCatch} (i32.const 16)` }, call: ["take", "text"] },
    {
      name: "of resource.drop",
      bodies: { run: "(block $c (try_table (catch_all $c) (call $drop (i32.const 3))))" },
    },
    { name: "in a destructor", bodies: { run: "(call $drop (call $new (i32.const 1)))", dtor: callAndCatch } },
  ];
  test.each(rows)("$name", async ({ bodies, call: [name, ...args] = ["run"] }) => {
    const { guest, marks } = await made(bodies);
    expect(() => guest.call(String(name), ...args)).toThrow(failed);
    expect(() => guest.call("fine")).toThrow(failed);
    expect(marks).toEqual([]);
  });

  test("in realloc: what it wanted the space for is not called", async () => {
    const { guest } = await made({ realloc: `${callAndCatch} (i32.const 16)` });
    expect(() => guest.call("take", "text")).toThrow(failed);
    expect(guest.global("taken")).toBe(0);
  });

  test("in its start function: it is not made", async () => {
    await expect(made({ start: callAndCatch })).rejects.toThrow(failed);
  });

  test("and one that catches nothing of ours goes on", async () => {
    const { guest, marks } = await made({ run: `${callAndCatch} (call $mark (i32.const 1))` }, () => undefined);
    expect(guest.call("run")).toBe(42);
    expect(marks).toEqual([1]);
  });
});

describe("a post-return function", () => {
  // test/values/post-return.wast: "cannot leave component instance".
  test.each([
    { name: "calls the host", end: "(call $mark (i32.const 1))" },
    { name: "makes a resource", end: "(drop (call $new (i32.const 1)))" },
    { name: "drops a resource", end: "(call $drop (i32.const 1))" },
  ])("that $name ends the guest", async ({ end }) => {
    const { guest, marks } = await made({ run: "(drop (call $new (i32.const 5)))", end });
    expect(() => guest.call("run")).toThrow(/must not/);
    expect(() => guest.call("fine")).toThrow(failed);
    expect(marks).toEqual([]);
  });

  // The same file: resource.rep is one of the built-ins "that don't trap".
  test("may look up the representation of a resource", async () => {
    const { guest } = await made({
      run: "(drop (call $new (i32.const 5)))",
      end: "(if (i32.ne (call $rep (i32.const 1)) (i32.const 5)) (then unreachable))",
    });
    expect(guest.call("run")).toBe(42);
    guest.call("fine");
  });

  test("is given the result, and runs before the caller goes on", async () => {
    const { guest } = await made({ end: "(if (i32.ne (local.get $result) (i32.const 42)) (then unreachable))" });
    expect(guest.call("run")).toBe(42);
    expect(guest.call("run")).toBe(42);
  });

  test("that traps ends the guest", async () => {
    const { guest } = await made({ end: "unreachable" });
    expect(() => guest.call("run")).toThrow(failed);
    expect(() => guest.call("fine")).toThrow(failed);
  });
});

describe("a component that is entered while a call is in it", () => {
  // test/async/trap-on-reenter.wast: "cannot enter component instance".
  test("by the host: both calls are over, and so is the guest", async () => {
    let inner: unknown;
    const { guest } = await made({ run: "(call $fail)" }, () => {
      try {
        guest.call("fine");
      } catch (error) {
        inner = error;
      }
    });
    expect(() => guest.call("run")).toThrow(/was entered/);
    expect(inner).toEqual(failed);
    expect(() => guest.call("fine")).toThrow(failed);
  });

  test("by a component in it", async () => {
    const guest = await guestOfText(`(component
      (core module $Inner (func (export "f")))
      (core instance $inner (instantiate $Inner))
      (func $f (canon lift (core func $inner "f")))
      (component $Child
        (import "f" (func $f))
        (core func $f' (canon lower (func $f)))
        (core module $Core (import "" "f" (func $f)) (func (export "g") (call $f)))
        (core instance $core (instantiate $Core (with "" (instance (export "f" (func $f'))))))
        (func (export "g") (canon lift (core func $core "g"))))
      (instance $child (instantiate $Child (with "f" (func $f))))
      (core func $g (canon lower (func $child "g")))
      (core module $Outer (import "" "g" (func $g)) (func (export "h") (call $g)))
      (core instance $outer (instantiate $Outer (with "" (instance (export "g" (func $g))))))
      (func (export "h") (canon lift (core func $outer "h"))))`);
    expect(() => guest.call("h")).toThrow(/was entered/);
  });
});

test("an import that the host does not have ends the guest when it is called, not before", async () => {
  const guest = await guestOfText(component({ run: "(call $fail)" }), { host: {} });
  guest.call("fine");
  expect(() => guest.call("run")).toThrow(/the host has no test:host\/api#fail/);
  expect(() => guest.call("fine")).toThrow(failed);
});
