import { describe, expect, test } from "vitest";
import { guestOfText } from "../testing/guest.ts";

// How components and core modules are put together, and what is called in which order. Each says which of the Component
// Model's own tests (WebAssembly/component-model, test/) checks the same.

const number = "(func (result u32))";

/** A component that exports `n`, which gives `value`. */
const constant = (name: string, value: number): string => `
  (component ${name}
    (core module $Core (func (export "n") (result i32) (i32.const ${value})))
    (core instance $core (instantiate $Core))
    (func (export "n") (result u32) (canon lift (core func $core "n"))))`;

/** A component that exports `n`, which gives one more than the `n` that it imports. */
const successor = (name: string): string => `
  (component ${name}
    (import "n" (func $n (result u32)))
    (core func $n' (canon lower (func $n)))
    (core module $Core
      (import "" "n" (func $n (result i32)))
      (func (export "n") (result i32) (i32.add (i32.const 1) (call $n))))
    (core instance $core (instantiate $Core (with "" (instance (export "n" (func $n'))))))
    (func (export "n") (result u32) (canon lift (core func $core "n"))))`;

describe("components in components", () => {
  // linking/link-time-virtualization.wast: a child is given another component in the place of the host.
  test("one is given what another exports, and does not see the host", async () => {
    const guest = await guestOfText(
      `(component
        (import "test:host/api" (instance $api (export "n" ${number})))
        ${successor("$Successor")}
        ${constant("$Virtual", 40)}
        (instance $virtual (instantiate $Virtual))
        (instance $behind-virtual (instantiate $Successor (with "n" (func $virtual "n"))))
        (instance $behind-host (instantiate $Successor (with "n" (func $api "n"))))
        (export "virtual" (func $behind-virtual "n"))
        (export "host" (func $behind-host "n")))`,
      { host: { "test:host/api": { n: () => 6 } } },
    );
    expect([guest.call("virtual"), guest.call("host")]).toEqual([41, 7]);
  });

  // linking/unit.wast: a component that is instantiated twice has two states.
  test("two instances of one component share nothing", async () => {
    const guest = await guestOfText(`(component
      (component $Counter
        (core module $Core
          (global $n (mut i32) (i32.const 0))
          (func (export "n") (result i32)
            (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)))
        (core instance $core (instantiate $Core))
        (func (export "n") (result u32) (canon lift (core func $core "n"))))
      (instance $a (instantiate $Counter))
      (instance $b (instantiate $Counter))
      (export "a" (func $a "n"))
      (export "b" (func $b "n")))`);
    expect([guest.call("a"), guest.call("a"), guest.call("b"), guest.call("a")]).toEqual([1, 2, 1, 3]);
  });

  test("a component is given another as a definition, and instantiates it", async () => {
    const guest = await guestOfText(`(component
      ${constant("$Inner", 9)}
      (component $Outer
        (import "inner" (component $C (export "n" ${number})))
        (instance $c (instantiate $C))
        (export "n" (func $c "n")))
      (instance $outer (instantiate $Outer (with "inner" (component $Inner))))
      (export "n" (func $outer "n")))`);
    expect(guest.call("n")).toBe(9);
  });

  test("ten components behind each other", async () => {
    const chain = Array.from({ length: 10 }, (_, index) => {
      const before = index === 0 ? "$first" : `$i${index - 1}`;
      return `(instance $i${index} (instantiate $S (with "n" (func ${before} "n"))))`;
    });
    const guest = await guestOfText(`(component ${constant("$First", 1)} ${successor("$S")}
      (instance $first (instantiate $First)) ${chain.join("\n")}
      (export "n" (func $i9 "n")))`);
    expect(guest.call("n")).toBe(11);
  });
});

describe("core modules", () => {
  // linking/shared-everything-dynamic-linking.wast: modules of one component share a memory and a table.
  test("share memory, table and global", async () => {
    const guest = await guestOfText(`(component
      (core module $Libc
        (memory (export "memory") 1)
        (table (export "table") 2 funcref)
        (global (export "base") (mut i32) (i32.const 8)))
      (core instance $libc (instantiate $Libc))
      (core module $A
        (import "libc" "memory" (memory 1)) (import "libc" "table" (table 2 funcref))
        (import "libc" "base" (global $base (mut i32)))
        (func $load (result i32) (i32.load (global.get $base)))
        (elem (i32.const 1) $load))
      (core module $B
        (import "libc" "memory" (memory 1)) (import "libc" "table" (table 2 funcref))
        (import "libc" "base" (global $base (mut i32)))
        (type $get (func (result i32)))
        (func (export "run") (param i32) (result i32)
          (global.set $base (i32.const 64)) (i32.store (i32.const 64) (local.get 0))
          (call_indirect (type $get) (i32.const 1))))
      (core instance $a (instantiate $A (with "libc" (instance $libc))))
      (core instance $b (instantiate $B (with "libc" (instance $libc))))
      (func (export "run") (param "x" u32) (result u32) (canon lift (core func $b "run"))))`);
    expect(guest.call("run", 0xfeed)).toBe(0xfeed);
  });

  // linking/tags.wast: an exception that one module throws is caught by another that has its tag, and by no other.
  test("share a tag", async () => {
    const guest = await guestOfText(`(component
      (core module $Tag (tag (export "t") (param i32)))
      (core instance $t (instantiate $Tag))
      (core instance $other (instantiate $Tag))
      (core module $Thrower
        (import "" "t" (tag $t (param i32)))
        (func (export "throw") (param i32) (throw $t (local.get 0))))
      (core instance $thrower (instantiate $Thrower (with "" (instance $t))))
      (core module $Catcher
        (import "" "t" (tag $t (param i32)))
        (import "thrower" "throw" (func $throw (param i32)))
        (func (export "run") (param i32) (result i32)
          (block $caught (result i32) (try_table (catch $t $caught) (call $throw (local.get 0))) (i32.const 0))))
      (core instance $same (instantiate $Catcher (with "" (instance $t)) (with "thrower" (instance $thrower))))
      (core instance $another (instantiate $Catcher (with "" (instance $other)) (with "thrower" (instance $thrower))))
      (func (export "same") (param "x" u32) (result u32) (canon lift (core func $same "run")))
      (func (export "another") (param "x" u32) (result u32) (canon lift (core func $another "run"))))`);
    expect(guest.call("same", 5)).toBe(5);
    expect(() => guest.call("another", 5)).toThrow(expect.objectContaining({ code: "GUEST_FAILED" }));
  });
});

describe("between two components", () => {
  // values/realloc.wast: an empty list takes space too, with an old pointer and an old size of 0.
  test("realloc is called once for an empty list, and the callee is given what it gave", async () => {
    const guest = await guestOfText(`(component
      (component $C
        (core module $Core
          (memory (export "memory") 1)
          (global $calls (mut i32) (i32.const 0))
          (func (export "realloc") (param $old i32) (param $oldBytes i32) (param $alignment i32) (param $bytes i32) (result i32)
            (if (i32.or (i32.or (local.get $old) (local.get $oldBytes)) (local.get $bytes)) (then unreachable))
            (if (i32.ne (local.get $alignment) (i32.const 8)) (then unreachable))
            (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
            (i32.const 24))
          (func (export "f") (param $at i32) (param $length i32) (result i32)
            (i32.add (i32.mul (global.get $calls) (i32.const 100)) (i32.add (local.get $at) (local.get $length)))))
        (core instance $core (instantiate $Core))
        (func (export "f") (param "x" (list u64)) (result u32)
          (canon lift (core func $core "f") (memory (core memory $core "memory")) (realloc (core func $core "realloc")))))
      (component $D
        (import "f" (func $f (param "x" (list u64)) (result u32)))
        (core module $Space (memory (export "memory") 1))
        (core instance $space (instantiate $Space))
        (core func $f' (canon lower (func $f) (memory (core memory $space "memory"))))
        (core module $Core (import "" "f" (func $f (param i32 i32) (result i32)))
          (func (export "run") (result i32) (call $f (i32.const 0) (i32.const 0))))
        (core instance $core (instantiate $Core (with "" (instance (export "f" (func $f'))))))
        (func (export "run") (result u32) (canon lift (core func $core "run"))))
      (instance $c (instantiate $C))
      (instance $d (instantiate $D (with "f" (func $c "f"))))
      (export "run" (func $d "run")))`);
    expect(guest.call("run")).toBe(124);
  });

  // values/post-return.wast: it runs once, before the caller goes on.
  test("a post-return function has run when the caller has the result", async () => {
    const marks: number[] = [];
    const guest = await guestOfText(
      `(component
        (import "test:host/api" (instance $api (export "mark" (func (param "n" u32)))))
        (component $C
          (core module $Core
            (global $ended (mut i32) (i32.const 0))
            (func (export "f") (result i32) (i32.const 5))
            (func (export "end") (param i32) (global.set $ended (i32.add (global.get $ended) (local.get 0))))
            (func (export "ended") (result i32) (global.get $ended)))
          (core instance $core (instantiate $Core))
          (func (export "f") (result u32) (canon lift (core func $core "f") (post-return (core func $core "end"))))
          (func (export "ended") (result u32) (canon lift (core func $core "ended"))))
        (instance $c (instantiate $C))
        (core func $f (canon lower (func $c "f")))
        (core func $ended (canon lower (func $c "ended")))
        (core func $mark (canon lower (func $api "mark")))
        (core module $Core
          (import "" "f" (func $f (result i32))) (import "" "ended" (func $ended (result i32)))
          (import "" "mark" (func $mark (param i32)))
          (func (export "run") (call $mark (call $ended)) (call $mark (call $f)) (call $mark (call $ended))))
        (core instance $core (instantiate $Core (with "" (instance
          (export "f" (func $f)) (export "ended" (func $ended)) (export "mark" (func $mark))))))
        (func (export "run") (canon lift (core func $core "run"))))`,
      { host: { "test:host/api": { mark: (n: number) => void marks.push(n) } } },
    );
    guest.call("run");
    expect(marks).toEqual([0, 5, 5]);
  });

  // values/numerics.wast: flags that there are not are cut off, and a bool is 0 or 1.
  test.each([
    { type: '(flags "a" "b")', given: 0xff, got: 0b11 },
    { type: "bool", given: 0x100, got: 1 },
    { type: "u8", given: 0xff00, got: 0 },
    { type: "s8", given: 0xff, got: -1 },
    { type: "s16", given: 0x1_8000, got: -0x8000 },
    { type: "char", given: 0xe000, got: 0xe000 },
  ])("$type: what is passed as $given arrives as $got", async ({ type, given, got }) => {
    const guest = await guestOfText(`(component
      (type $D ${type})
      (component $C
        (export $t "t" (type $D))
        (core module $Core (func (export "f") (param i32)
          (if (i32.ne (local.get 0) (i32.const ${got})) (then unreachable))))
        (core instance $core (instantiate $Core))
        (func (export "f") (param "x" $t) (canon lift (core func $core "f"))))
      (instance $c (instantiate $C))
      (core func $f (canon lower (func $c "f")))
      (core module $Core (import "" "f" (func $f (param i32)))
        (func (export "run") (call $f (i32.const ${given}))))
      (core instance $core (instantiate $Core (with "" (instance (export "f" (func $f))))))
      (func (export "run") (canon lift (core func $core "run"))))`);
    expect(() => guest.call("run")).not.toThrow();
  });
});
