import { expect, test } from "vitest";
import { CallCancelled, cancellable } from "../abi/stream.ts";
import { asyncComponent, callback, wait } from "../testing/async-component.ts";
import { guestOfText } from "../testing/guest.ts";

const turn = async (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** A promise that the test settles. */
function deferred<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => (resolve = settle));
  return { promise, resolve };
}

const api = `(import "test:host/api" (instance $api (export "get" (func async (param "x" u32) (result u32)))))
  (alias export $api "get" (func $get))`;

/** Calls the host and returns its answer; `sync` waits within the call, `late` is told of it by its callback. */
const caller = asyncComponent({
  before: api,
  builtins: {
    "get-sync": ["lower (func $get)", "(param i32) (result i32)"],
    "get-async": ["lower (func $get) async (memory $memory)", "(param i32 i32) (result i32)"],
    new: "waitable-set.new",
    join: "waitable.join",
    drop: "subtask.drop",
    cancel: "subtask.cancel",
    "cancel-async": "subtask.cancel async",
    return: "task.return (result u32)",
    stop: "task.cancel",
    "get-slot": "context.get i32 0",
    "set-slot": "context.set i32 0",
  },
  core: `
    (func (export "sync") (param i32) (result i32) (call $get-sync (local.get 0)))
    (func (export "stackful") (param i32) (call $return (call $get-sync (local.get 0))))
    (global $set (mut i32) (i32.const 0))
    (func (export "late") (param i32) (result i32)
      (local $status i32) (local $at i32) (local $set i32)
      ;; Each call has room for its answer where its argument says.
      (local.set $at (i32.mul (local.get 0) (i32.const 4)))
      (local.set $status (call $get-async (local.get 0) (local.get $at)))
      (if (i32.eq (local.get $status) (i32.const 2))
        (then (call $return (i32.load (local.get $at))) (return (i32.const 0))))
      (call $expect (i32.and (local.get $status) (i32.const 15)) (i32.const 1))
      (call $set-slot (local.get $at))
      (local.set $set (call $new))
      (call $join (i32.shr_u (local.get $status) (i32.const 4)) (local.get $set))
      ${wait("(local.get $set)")})
    (func (export "late-cb") (param $event i32) (param $index i32) (param $state i32) (result i32)
      (if (i32.eq (local.get $event) (i32.const 6)) (then (call $stop) (return (i32.const 0))))
      (call $expect (local.get $event) (i32.const 1))
      (call $expect (local.get $state) (i32.const 2))
      (call $drop (local.get $index))
      (call $return (i32.load (call $get-slot)))
      (i32.const 0))
    (func $begin (param i32) (result i32)
      (local $status i32)
      (local.set $status (call $get-async (local.get 0) (i32.const 8)))
      (call $expect (i32.and (local.get $status) (i32.const 15)) (i32.const 1))
      (i32.shr_u (local.get $status) (i32.const 4)))
    (func (export "call-off") (param i32) (result i32)
      (local $subtask i32) (local $state i32)
      (local.set $subtask (call $begin (local.get 0)))
      (local.set $state (call $cancel (local.get $subtask)))
      (call $drop (local.get $subtask))
      (local.get $state))
    (func (export "call-off-async") (param i32) (result i32)
      (call $cancel-async (call $begin (local.get 0))))`,
  exports: {
    sync: [`async (param "x" u32) (result u32)`, ""],
    stackful: [`async (param "x" u32) (result u32)`, "async"],
    late: [`async (param "x" u32) (result u32)`, callback("late")],
    "call-off": [`async (param "x" u32) (result u32)`, ""],
    "call-off-async": [`async (param "x" u32) (result s32)`, ""],
  },
});

test.each(["sync", "stackful", "late"])("%s: an answer that is there is given at once", async (name) => {
  const guest = await guestOfText(caller, { host: { "test:host/api": { get: (x: number) => x + 1 } } });
  expect(guest.call(name, 4)).toBe(5);
});

test.each(["sync", "stackful", "late"])("%s: an answer that comes later is waited for", async (name) => {
  const answer = deferred<number>();
  const guest = await guestOfText(caller, { host: { "test:host/api": { get: () => answer.promise } } });
  const call = guest.start(name, 4);
  let isReturned = false;
  void call.returned.then(() => (isReturned = true));
  await turn();
  expect(isReturned).toBe(false);
  expect(guest.live.isQuiet).toBe(false);
  answer.resolve(6);
  expect(await call.returned).toBe(6);
  await call.ended;
  expect(guest.live.isQuiet).toBe(true);
});

test("several calls are in one instance, and each gets its own answer in its own time", async () => {
  const answers = new Map<number, (value: number) => void>();
  const get = (x: number): Promise<number> => new Promise((resolve) => answers.set(x, resolve));
  const guest = await guestOfText(caller, { host: { "test:host/api": { get } } });
  const returned: unknown[] = [];
  const calls = [3, 4, 5].map(async (x) => void returned.push(await guest.call("late", x)));
  await turn();
  for (const x of [4, 5, 3]) {
    answers.get(x)?.(x * 10);
    await turn();
  }
  await Promise.all(calls);
  expect(returned).toEqual([40, 50, 30]);
});

test("a call that waits within the host lets no other of its kind in before it is done", async () => {
  const begun: number[] = [];
  const first = deferred<number>();
  const get = (x: number): Promise<number> | number => (begun.push(x), x === 1 ? first.promise : x);
  const guest = await guestOfText(caller, { host: { "test:host/api": { get } } });
  const one = guest.call("sync", 1);
  const two = guest.call("late", 2);
  const stackful = guest.call("stackful", 3);
  await turn();
  expect(begun).toEqual([1, 3]);
  first.resolve(1);
  expect(await Promise.all([one, two, stackful])).toEqual([1, 2, 3]);
});

test("the host fails: the guest is over, and everybody who waits for it is told the same", async () => {
  const never = new Promise<number>(() => undefined);
  const broken = Promise.reject<number>(new Error("the disk is gone"));
  const get = (x: number): Promise<number> => (x === 1 ? never : broken);
  const guest = await guestOfText(caller, { host: { "test:host/api": { get } } });
  const calls = [guest.start("late", 1), guest.start("late", 2)];
  for (const call of calls) {
    await expect(call.returned).rejects.toThrow(
      expect.objectContaining({ code: "GUEST_FAILED", message: expect.stringContaining("the disk is gone") as string }),
    );
    await expect(call.ended).rejects.toMatchObject({ code: "GUEST_FAILED" });
  }
  expect(() => guest.call("late", 3)).toThrow("the disk is gone");
});

test("a call of the host that can be called off is, and its late answer goes nowhere", async () => {
  const answer = deferred<number>();
  let calledOff = 0;
  const get = (): Promise<number> => cancellable(answer.promise, () => void calledOff++);
  const guest = await guestOfText(caller, { host: { "test:host/api": { get } } });
  expect(guest.call("call-off", 4)).toBe(4);
  expect(calledOff).toBe(1);
  answer.resolve(1);
  await turn();
  expect(guest.live.isQuiet).toBe(true);
});

test("a call of the host that cannot be called off is waited for", async () => {
  const answer = deferred<number>();
  const guest = await guestOfText(caller, { host: { "test:host/api": { get: () => answer.promise } } });
  expect(guest.call("call-off-async", 4)).toBe(-1);
  const waiting = guest.call("call-off", 4);
  await turn();
  answer.resolve(1);
  expect(await waiting).toBe(2);
});

test("the host calls a task off: one that waits to be told is told, and one that does not is not", async () => {
  const answer = deferred<number>();
  const guest = await guestOfText(caller, { host: { "test:host/api": { get: () => answer.promise } } });
  const late = guest.start("late", 4);
  const stackful = guest.start("stackful", 5);
  late.cancel();
  stackful.cancel();
  await expect(late.returned).rejects.toBeInstanceOf(CallCancelled);
  await late.ended;
  answer.resolve(1);
  expect(await stackful.returned).toBe(1);
});

test("a call that waits to be let in is called off before it has begun", async () => {
  const answer = deferred<number>();
  const begun: number[] = [];
  const get = (x: number): Promise<number> => (begun.push(x), answer.promise);
  const guest = await guestOfText(caller, { host: { "test:host/api": { get } } });
  const first = guest.start("sync", 1);
  const second = guest.start("sync", 2);
  second.cancel();
  await expect(second.returned).rejects.toBeInstanceOf(CallCancelled);
  answer.resolve(1);
  expect(await first.returned).toBe(1);
  expect(begun).toEqual([1]);
});

/** WASI's own functions: one of 0.2 that waits, of a component that has tasks, and one that is async. */
const waiter = asyncComponent({
  before: `(import "wasi:io/poll@0.2.0" (instance $poll (export "pollable" (type $p (sub resource)))
      (export "[method]pollable.block" (func (param "self" (borrow $p))))))
    (alias export $poll "pollable" (type $pollable))
    (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock (alias outer 1 $pollable (type $q))
      (export "pollable" (type $r (eq $q)))
      (export "subscribe-duration" (func (param "when" u64) (result (own $r))))))
    (import "wasi:clocks/monotonic-clock@0.3.0" (instance $async (export "wait-for" (func async (param "how-long" u64)))))
    (alias export $poll "[method]pollable.block" (func $block))
    (alias export $clock "subscribe-duration" (func $subscribe))
    (alias export $async "wait-for" (func $wait-for))`,
  builtins: {
    block: ["lower (func $block)", "(param i32)"],
    subscribe: ["lower (func $subscribe)", "(param i64) (result i32)"],
    "wait-for": ["lower (func $wait-for)", "(param i64)"],
    "wait-later": ["lower (func $wait-for) async (memory $memory)", "(param i64) (result i32)"],
  },
  core: `
    (func (export "poll") (param i32) (result i32)
      (call $block (call $subscribe (i64.extend_i32_u (local.get 0))))
      (call $block (call $subscribe (i64.const 1)))
      (i32.add (local.get 0) (i32.const 1)))
    (func (export "wait") (param i32) (result i32)
      (call $wait-for (i64.extend_i32_u (local.get 0)))
      (call $wait-later (i64.const 0)))`,
  exports: {
    poll: [`async (param "x" u32) (result u32)`, ""],
    wait: [`async (param "x" u32) (result u32)`, ""],
  },
});

test("functions of WASI that wait keep their task waiting, whichever way they are called", async () => {
  const waited: bigint[] = [];
  class Pollable {
    readonly #when: bigint;
    constructor(when: bigint) {
      this.#when = when;
    }
    async block(): Promise<void> {
      await turn();
      waited.push(this.#when);
    }
  }
  const waitFor = (when: bigint): Promise<void> | undefined => (when === 0n ? undefined : new Pollable(when).block());
  const guest = await guestOfText(waiter, {
    isWasiLowered: true,
    waiting: ["wasi:io/poll#[method]pollable.block"],
    host: {
      "wasi:io/poll": { Pollable },
      "wasi:clocks/monotonic-clock": { subscribeDuration: (when: bigint) => new Pollable(when) },
      "wasi:clocks/monotonic-clock@0.3": { waitFor },
    },
  });
  expect(await guest.call("poll", 4)).toBe(5);
  // 2: it had returned at once.
  expect(await guest.call("wait", 6)).toBe(2);
  expect(waited).toEqual([4n, 1n, 6n]);
});
