import { expect, test } from "vitest";
import type { StreamReader } from "../abi/stream.ts";
import { asyncComponent, callback, compose, wait } from "../testing/async-component.ts";
import { type Guest, guestOfText, type GuestOptions } from "../testing/guest.ts";

const turn = async (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

const asyncU32 = (options: string): readonly [string, string] => ["async (result u32)", options];

/** Waits for what nobody will bring, unless somebody else does. */
const waiter = asyncComponent({
  before: `(import "test:host/api" (instance $api
      (export "get" (func async (result u32)))
      (export "bytes" (func (result (stream u8))))
      (export "take" (func (param "bytes" (stream u8))))))
    (alias export $api "get" (func $get)) (alias export $api "bytes" (func $bytes)) (alias export $api "take" (func $take))
    (type $stream (stream u8))`,
  builtins: {
    get: ["lower (func $get) async (memory $memory)", "(param i32) (result i32)"],
    bytes: ["lower (func $bytes)", "(result i32)"],
    take: ["lower (func $take)", "(param i32)"],
    "new-set": "waitable-set.new",
    wait: "waitable-set.wait (memory $memory)",
    join: "waitable.join",
    new: "stream.new $stream",
    read: "stream.read $stream async (memory $memory)",
    write: "stream.write $stream async (memory $memory)",
    return: "task.return (result u32)",
  },
  core: `
    (global $set (mut i32) (i32.const 0))
    (global $writer (mut i32) (i32.const 0))
    (func $wait-for (param i32)
      (global.set $set (call $new-set))
      (call $join (local.get 0) (global.get $set))
      (drop (call $wait (global.get $set) (i32.const 16)))
      (call $return (i32.load (i32.const 20))))
    (func (export "nothing") (result i32) ${wait("(call $new-set)")})
    (func (export "nothing-cb") (param i32 i32 i32) (result i32) (unreachable))
    (func (export "nothing-stackful") (call $return (call $wait (call $new-set) (i32.const 16))))
    (func (export "itself")
      (local $ends i64)
      (local.set $ends (call $new))
      (global.set $writer (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const 32))))
      (drop (call $read (i32.wrap_i64 (local.get $ends)) (i32.const 64) (i32.const 1)))
      (call $wait-for (i32.wrap_i64 (local.get $ends))))
    (func (export "wake") (call $return (call $write (global.get $writer) (i32.const 64) (i32.const 1))))
    (func (export "call") (call $wait-for (i32.shr_u (call $get (i32.const 8)) (i32.const 4))))
    (func (export "incoming")
      (local $end i32)
      (local.set $end (call $bytes))
      (drop (call $read (local.get $end) (i32.const 64) (i32.const 1)))
      (call $wait-for (local.get $end)))
    (func (export "unread")
      (local $end i32)
      (local.set $end (call $bytes))
      (call $wait-for (local.get $end)))
    (func (export "outgoing")
      (local $ends i64) (local $writer i32)
      (local.set $ends (call $new))
      (local.set $writer (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const 32))))
      (call $take (i32.wrap_i64 (local.get $ends)))
      (drop (call $write (local.get $writer) (i32.const 64) (i32.const 1)))
      (call $wait-for (local.get $writer)))`,
  exports: {
    nothing: asyncU32(callback("nothing")),
    "nothing-stackful": asyncU32("async"),
    itself: asyncU32("async"),
    wake: asyncU32("async"),
    call: asyncU32("async"),
    incoming: asyncU32("async"),
    unread: asyncU32("async"),
    outgoing: asyncU32("async"),
  },
});

/** A component that calls `nothing` of the one before, and waits for its answer. */
const caller = asyncComponent({
  before: `(import "nothing" (func $nothing async (result u32)))`,
  builtins: { nothing: ["lower (func $nothing)", "(result i32)"] },
  core: `(func (export "through") (result i32) (call $nothing))`,
  exports: { through: asyncU32("") },
});

const idle: StreamReader = { read: () => new Promise(() => undefined), drop: () => undefined };

async function alone(text: string, api: NonNullable<GuestOptions["host"]> = {}): Promise<Guest> {
  const guest = await guestOfText(text, { host: { "test:host/api": { bytes: () => idle, ...api } } });
  guest.live.isAlone = true;
  return guest;
}

const deadlocked = { code: "GUEST_FAILED", message: expect.stringContaining("deadlock") as string };

test.each(["nothing", "nothing-stackful", "itself", "unread"])(
  "%s: a guest that nothing can wake is ended",
  async (name) => {
    const guest = await alone(waiter);
    await expect((async () => guest.call(name))()).rejects.toMatchObject(deadlocked);
  },
);

test("a component that waits for one that nothing can wake is ended with it", async () => {
  const parts = [
    { name: "callee", text: waiter, given: `(with "test:host/api" (instance $api))` },
    { name: "caller", text: caller, given: `(with "nothing" (func $callee "nothing"))` },
  ];
  const api = `(component (import "test:host/api" (instance $api
      (export "get" (func async (result u32)))
      (export "bytes" (func (result (stream u8))))
      (export "take" (func (param "bytes" (stream u8))))))`;
  const text = compose(parts, [["through", "caller"]]).replace("(component", api);
  const guest = await alone(text);
  await expect((async () => guest.call("through"))()).rejects.toMatchObject(deadlocked);
});

test("what the host may still bring is waited for: an answer, what is read, and a reader", async () => {
  const { promise, resolve } = Promise.withResolvers<number>();
  const taken: StreamReader[] = [];
  const guest = await alone(waiter, { get: () => promise, take: (bytes: StreamReader) => void taken.push(bytes) });
  const outcomes: unknown[] = [];
  for (const name of ["call", "incoming", "outgoing"]) {
    guest.start(name).returned.then(
      (value) => outcomes.push(value),
      (error: unknown) => outcomes.push(error),
    );
    await turn();
  }
  expect(outcomes).toEqual([]);
  await taken[0]?.read(1);
  await turn();
  resolve(5);
  await turn();
  // The second of them waits for what its stream brings; each of the others has been told of its event.
  expect(outcomes).toHaveLength(2);
});

test("a guest that others may enter waits for them", async () => {
  const guest = await alone(waiter);
  guest.live.isAlone = false;
  const waiting = guest.start("itself");
  await turn();
  await guest.call("wake");
  expect(await waiting.returned).toBe(16);
});
