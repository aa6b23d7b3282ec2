import { describe, expect, test } from "vitest";
import { guestOfText, type GuestOptions } from "../testing/guest.ts";

/** `caller` calls `f` of `callee`: cores of two components, and the type of what is between them. */
function pair(cores: {
  readonly type: string;
  readonly callee: string;
  readonly caller: string;
  readonly lower: string;
}): string {
  const { type, callee, caller, lower } = cores;
  return `(component
    (import "test:host/api" (instance $host (export "wait" (func (param "x" u32) (result u32)))))
    (component $Callee
      (import "wait" (func $wait (param "x" u32) (result u32)))
      (core func $wait' (canon lower (func $wait)))
      (core module $M (import "" "wait" (func $wait (param i32) (result i32))) ${callee})
      (core instance $m (instantiate $M (with "" (instance (export "wait" (func $wait'))))))
      (func (export "f") ${type} (canon lift (core func $m "f"))))
    (component $Caller
      (import "f" (func $f ${type}))
      (core func $f' (canon lower (func $f)))
      (core module $M (import "" "f" (func $f ${lower})) ${caller})
      (core instance $m (instantiate $M (with "" (instance (export "f" (func $f'))))))
      (func (export "run") (param "x" u32) (result u32) (canon lift (core func $m "run"))))
    (instance $callee (instantiate $Callee (with "wait" (func $host "wait"))))
    (instance $caller (instantiate $Caller (with "f" (func $callee "f"))))
    (export "run" (func $caller "run")))`;
}

const number = { type: '(param "x" u32) (result u32)', lower: "(param i32) (result i32)" };
const passOn = '(func (export "run") (param i32) (result i32) (i32.add (call $f (local.get 0)) (i32.const 100)))';
/** Calls, and catches whatever comes out of the call. */
const catchAll = `(func (export "run") (param i32) (result i32)
  (block $caught (try_table (catch_all $caught) (return (call $f (local.get 0)))))
  (i32.const 7))`;

describe("what the callee throws is not for its caller", () => {
  test.each([
    [
      "an exception",
      '(tag $t) (func (export "f") (param i32) (result i32) (throw $t))',
      "an exception that it did not catch",
    ],
    ["a trap", '(func (export "f") (param i32) (result i32) unreachable)', "unreachable"],
    [
      "a failure of the host",
      '(func (export "f") (param i32) (result i32) (call $wait (local.get 0)))',
      "the disk is gone",
    ],
  ])("%s", async (_, callee, message) => {
    const fail = (): never => {
      throw new Error("the disk is gone");
    };
    const guest = await guestOfText(pair({ ...number, callee, caller: catchAll }), {
      host: { "test:host/api": { wait: fail } },
    });
    expect(() => guest.call("run", 1)).toThrow(message);
    expect(() => guest.call("run", 1)).toThrow(message);
  });
});

test("the callee waits, and its caller with it", async () => {
  const calls: number[] = [];
  const wait = async (x: number): Promise<number> => {
    await new Promise((resolve) => void setImmediate(resolve));
    calls.push(x);
    return x + 10;
  };
  const options: GuestOptions = { host: { "test:host/api": { wait } }, waiting: ["test:host/api#wait"] };
  const callee =
    '(func (export "f") (param i32) (result i32) (i32.add (call $wait (call $wait (local.get 0))) (i32.const 1)))';
  const guest = await guestOfText(pair({ ...number, callee, caller: passOn }), options);
  expect(await guest.call("run", 1)).toBe(122);
  expect(await guest.call("run", 2)).toBe(123);
  expect(calls).toEqual([1, 11, 2, 12]);
});

test("a component that is called while a call is in it traps", async () => {
  // Its start calls out into itself: nothing is in it then, and later something is.
  const text = `(component
    (component $C
      (core module $Inner (global $calls (mut i32) (i32.const 0))
        (func (export "f") (param i32) (result i32)
          (global.set $calls (i32.add (global.get $calls) (local.get 0))) (global.get $calls)))
      (core instance $inner (instantiate $Inner))
      (func $f (param "x" u32) (result u32) (canon lift (core func $inner "f")))
      (core func $f' (canon lower (func $f)))
      (core module $Outer (import "" "f" (func $f (param i32) (result i32)))
        (func $start (drop (call $f (i32.const 5)))) (start $start)
        (func (export "run") (param i32) (result i32) (call $f (local.get 0))))
      (core instance $outer (instantiate $Outer (with "" (instance (export "f" (func $f'))))))
      (func (export "f") (param "x" u32) (result u32) (canon lift (core func $inner "f")))
      (func (export "run") (param "x" u32) (result u32) (canon lift (core func $outer "run"))))
    (instance $c (instantiate $C))
    (export "f" (func $c "f"))
    (export "run" (func $c "run")))`;
  const guest = await guestOfText(text);
  expect(guest.call("f", 1)).toBe(6);
  expect(() => guest.call("run", 1)).toThrow("a component was entered while a call is in it");
});

test("code grows with the types as they are written", async () => {
  // Written out, the innermost is there 2^13 times; each is a case of the next, and within another.
  const depth = 13;
  const types = Array.from({ length: depth }, (_, at) => {
    const inner = at === 0 ? "u8" : `$v${at - 1}`;
    return `(type $t${at} (tuple ${inner})) (type $d${at} (variant (case "a" ${inner}) (case "b" $t${at})))
      (export $v${at} "v${at}" (type $d${at}))`;
  }).join("\n");
  const imported = types.replaceAll(
    /\(export (\$v\d+) "(v\d+)" \(type (\$d\d+)\)\)/g,
    '(import "$2" (type $1 (eq $3)))',
  );
  const given = Array.from({ length: depth }, (_, at) => `(with "v${at}" (type $callee "v${at}"))`).join(" ");
  const params = Array.from({ length: depth + 1 }, () => "i32").join(" ");
  const guest = await guestOfText(`(component
    (component $Callee ${types}
      (core module $M (func (export "f") (param ${params}) (result i32) (local.get ${depth})))
      (core instance $m (instantiate $M))
      (func (export "f") (param "x" $v${depth - 1}) (result u32) (canon lift (core func $m "f"))))
    (instance $callee (instantiate $Callee))
    (component $Caller ${imported}
      (import "f" (func $f (param "x" $v${depth - 1}) (result u32)))
      (core func $f' (canon lower (func $f)))
      (core module $M (import "" "f" (func $f (param ${params}) (result i32)))
        (func (export "run") (param i32) (result i32)
          (call $f ${"(i32.const 1) ".repeat(depth)} (local.get 0))))
      (core instance $m (instantiate $M (with "" (instance (export "f" (func $f'))))))
      (func (export "run") (param "x" u32) (result u32) (canon lift (core func $m "run"))))
    (instance $caller (instantiate $Caller (with "f" (func $callee "f")) ${given}))
    (export "run" (func $caller "run")))`);
  // What a u8 does not need is cut off, thirteen cases deep.
  expect(guest.call("run", 0x1ff)).toBe(0xff);
  const [fused] = guest.live.component.fused.values();
  expect(fused?.group.module.byteLength).toBeLessThan(8_000);
});
