import { expect, test } from "vitest";
import type { StreamReader } from "../abi/stream.ts";
import { asyncComponent, callback, wait } from "../testing/async-component.ts";
import { type Guest, guestOfText } from "../testing/guest.ts";
import { puppets } from "../testing/puppet.ts";
import { enteringMax, suspendedMax, tasksMax, threadsMax } from "./bounds.ts";

const component = asyncComponent({
  builtins: {
    return: "task.return",
    new: "waitable-set.new",
    wait: "waitable-set.wait (memory $memory)",
    inc: "backpressure.inc",
    "new-thread": "thread.new-indirect $start (core table $table)",
  },
  core: `
    (func $start (param i32)) (elem (i32.const 0) func $start)
    (func (export "suspended") (drop (call $wait (call $new) (i32.const 0))))
    (func (export "press") (call $inc))
    (func (export "held-back"))
    (func (export "threads")
      (loop $more (drop (call $new-thread (i32.const 0) (i32.const 0))) (br $more)))
    (func (export "sets") (loop $more (drop (call $new)) (br $more)))`,
  exports: {
    suspended: ["async", "async"],
    press: ["", ""],
    "held-back": ["async", ""],
    threads: ["", ""],
    sets: ["", ""],
  },
});

/** Without a built-in that blocks, so its tasks have no stacks. */
const stackless = asyncComponent({
  builtins: { new: "waitable-set.new" },
  core: `(global $set (mut i32) (i32.const 0))
    (func $begin (global.set $set (call $new))) (start $begin)
    (func (export "waits") (result i32) ${wait("(global.get $set)")})
    (func (export "waits-cb") (param i32 i32 i32) (result i32) unreachable)`,
  exports: { waits: ["async", callback("waits")] },
});

/** Makes so many calls that all wait, and one more. */
async function overflow(guest: Guest, name: string, max: number): Promise<void> {
  const calls = Array.from({ length: max }, () => guest.start(name));
  await new Promise(setImmediate);
  expect(guest.live.guest.fault).toBeUndefined();
  await expect(guest.start(name).returned).rejects.toMatchObject({ code: "GUEST_LIMIT" });
  await expect(calls[0]?.ended).rejects.toMatchObject({ code: "GUEST_LIMIT" });
}

test("as many calls may be in a guest as there is room for", async () => {
  await overflow(await guestOfText(stackless), "waits", tasksMax);
});

test("as many stacks may be suspended as a process can spare", async () => {
  await overflow(await guestOfText(component, { handlesMax: 10_000 }), "suspended", suspendedMax);
});

test("as many calls may wait to be let in as are worth waiting for", async () => {
  const guest = await guestOfText(component);
  await guest.call("press");
  await overflow(guest, "held-back", enteringMax);
});

test.each([
  ["threads", "GUEST_LIMIT"],
  ["sets", "GUEST_HANDLES"],
])("%s are counted", async (name, code) => {
  const guest = await guestOfText(component, { handlesMax: 500 });
  expect(threadsMax).toBeGreaterThan(0);
  await expect((async () => guest.call(name))()).rejects.toMatchObject({ code });
});

test("ends of streams are handles, and what a guest is given counts", async () => {
  const [a] = await puppets({ handlesMax: 10 });
  const reader: StreamReader = { read: () => undefined, drop: () => undefined };
  for (let count = 0; count < 10; count++) a.call("take-stream", reader);
  await expect((async () => a.call("take-stream", reader))()).rejects.toMatchObject({ code: "GUEST_HANDLES" });
});

test("what the host reads at once has an end: a guest can send the same text thousands of times", async () => {
  const [a] = await puppets({ item: "string" });
  const [r, w] = a.ends("new-stream");
  const reader = a.call("give-stream", r) as StreamReader<string>;
  // 1,100 pairs of the same pointer and length, 64 KiB of text each.
  for (let index = 0; index < 1100; index++) a.poke(index * 8, 65_536, 65_536);
  a.call("write", w, 0, 1100);
  expect(() => reader.read(1100)).toThrow(expect.objectContaining({ code: "GUEST_LIMIT" }));
});

test("an error context keeps a line of its message", async () => {
  const [a] = await puppets();
  for (let address = 0; address < 8192; address += 4) a.poke(address, 0x61616161);
  expect(a.call("give-error", a.call("error-new", 0, 8192))).toMatchObject({ debugMessage: "a".repeat(1024) });
});

test("a guest that has always something to do lets timers run", async () => {
  const guest = await guestOfText(
    asyncComponent({
      core: `(func (export "busy") (result i32) (i32.const 1))
        (func (export "busy-cb") (param i32 i32 i32) (result i32) (i32.const 1))`,
      exports: { busy: ["async", callback("busy")] },
    }),
  );
  guest.start("busy");
  for (let round = 0; round < 3; round++) await new Promise(setImmediate);
  expect(guest.live.isQuiet).toBe(false);
  guest.live.ended(new Error("the test is over"));
});
