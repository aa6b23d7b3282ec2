import { expect, test } from "vitest";
import { CallCancelled } from "../abi/stream.ts";
import { asyncComponent, callback } from "../testing/async-component.ts";
import { type Guest, guestOfText } from "../testing/guest.ts";

// Threads write what they do, one digit each, to a number that the test reads.

const component = asyncComponent({
  builtins: {
    return: "task.return (result u32)",
    stop: "task.cancel",
    new: "thread.new-indirect $start (core table $table)",
    index: "thread.index",
    later: "thread.resume-later",
    suspend: "thread.suspend",
    yield: "thread.yield",
    "suspend-resume": "thread.suspend-then-resume",
    "yield-resume": "thread.yield-then-resume",
    "suspend-promote": "thread.suspend-then-promote",
    "yield-promote": "thread.yield-then-promote",
    "get-slot": "context.get i32 0",
    "set-slot": "context.set i32 0",
  },
  core: `
    (global $log (mut i32) (i32.const 0))
    (global $main (mut i32) (i32.const 0))
    (func $write (param i32)
      (global.set $log (i32.add (i32.mul (global.get $log) (i32.const 10)) (local.get 0))))
    ;; Writes what it was given, lets the main thread go on, and writes it again when it goes on itself.
    (func $twice (param i32)
      (call $write (local.get 0))
      (call $later (global.get $main))
      (drop (call $suspend))
      (call $write (local.get 0)))
    (func $once (param i32) (call $write (local.get 0)))
    (func $returns (param i32) (call $return (local.get 0)))
    (func $waits (param i32)
      (call $expect (call $suspend) (i32.const 1))
      (call $stop))
    (func $slots (param i32)
      (call $expect (call $get-slot) (i32.const 0))
      (call $set-slot (local.get 0))
      (drop (call $yield))
      (call $write (call $get-slot)))
    (elem (i32.const 0) func $twice $once $returns $waits $slots)

    (func (export "hand-over") (result i32) (local $thread i32)
      (global.set $main (call $index))
      (local.set $thread (call $new (i32.const 0) (i32.const 2)))
      (call $write (i32.const 1))
      (drop (call $suspend-resume (local.get $thread)))
      (call $write (i32.const 3))
      (drop (call $yield-resume (local.get $thread)))
      (call $write (i32.const 4))
      (global.get $log))

    (func (export "later") (result i32)
      (call $later (call $new (i32.const 1) (i32.const 2)))
      (call $later (call $new (i32.const 1) (i32.const 3)))
      (call $write (i32.const 1))
      (drop (call $yield))
      (global.get $log))

    ;; One that is ready has the turn at once; one that is not is not waited for.
    (func (export "promote") (result i32) (local $ready i32) (local $parked i32)
      (local.set $parked (call $new (i32.const 1) (i32.const 9)))
      (local.set $ready (call $new (i32.const 1) (i32.const 2)))
      (call $later (local.get $ready))
      (drop (call $yield-promote (local.get $ready)))
      (call $write (i32.const 3))
      (drop (call $yield-promote (local.get $parked)))
      (global.get $log))

    (func (export "own-slots") (result i32)
      (call $set-slot (i32.const 1))
      (call $later (call $new (i32.const 4) (i32.const 2)))
      (call $later (call $new (i32.const 4) (i32.const 3)))
      (drop (call $yield))
      (drop (call $yield))
      (call $write (call $get-slot))
      (global.get $log))

    ;; The task is over when its last thread is, and may return by any of them.
    (func (export "return-by-thread") (result i32)
      (call $later (call $new (i32.const 2) (i32.const 42)))
      (i32.const 0))
    (func (export "return-by-nobody") (result i32)
      (call $later (call $new (i32.const 1) (i32.const 1)))
      (i32.const 0))
    (func (export "stop-thread") (result i32)
      (call $later (call $new (i32.const 3) (i32.const 0)))
      (i32.const 0))
    (func (export "cb") (param i32 i32 i32) (result i32) unreachable)

    ;; A function that is not async may wait for its own threads.
    (func (export "sync") (result i32) (local $thread i32)
      (global.set $main (call $index))
      (local.set $thread (call $new (i32.const 0) (i32.const 5)))
      (drop (call $suspend-resume (local.get $thread)))
      (global.get $log))
    (func (export "park-itself") (result i32) (drop (call $suspend)) (i32.const 0))`,
  exports: {
    "hand-over": ["async (result u32)", ""],
    later: ["async (result u32)", ""],
    promote: ["async (result u32)", ""],
    "own-slots": ["async (result u32)", ""],
    "return-by-thread": ["async (result u32)", callback("x").replace("x-cb", "cb")],
    "return-by-nobody": ["async (result u32)", callback("x").replace("x-cb", "cb")],
    "stop-thread": ["async (result u32)", callback("x").replace("x-cb", "cb")],
    sync: ["(result u32)", ""],
    "park-itself": ["async (result u32)", ""],
  },
});

const threads = async (cancellable = false): Promise<Guest> => guestOfText(component, { cancellable });

test.each([
  // The main thread yields to the other and is ready itself, so it goes on after that.
  ["hand-over", 12324],
  ["later", 123],
  ["promote", 23],
  ["own-slots", 231],
  ["return-by-thread", 42],
  ["sync", 5],
])("%s", async (name, wanted) => {
  const guest = await threads();
  expect(await guest.call(name)).toBe(wanted);
});

test("a task whose last thread ends has to have returned", async () => {
  const guest = await threads();
  await expect(guest.start("return-by-nobody").returned).rejects.toThrow("without having returned");
});

test("a thread is told that its task shall stop, when it can be", async () => {
  const guest = await threads(true);
  const call = guest.start("stop-thread");
  await new Promise(setImmediate);
  call.cancel();
  await expect(call.returned).rejects.toBeInstanceOf(CallCancelled);
  await call.ended;
  expect(guest.live.isQuiet).toBe(true);
});

test("what waits for nobody's word waits, and holds up nobody else", async () => {
  const guest = await threads();
  const parked = guest.start("park-itself");
  expect(await guest.call("sync")).toBe(5);
  expect(guest.live.isQuiet).toBe(false);
  expect(await Promise.race([parked.returned, new Promise((resolve) => setImmediate(resolve, "waits"))])).toBe("waits");
});
