import { describe, expect, test } from "vitest";
import { asyncComponent, callback, wait } from "../testing/async-component.ts";
import { guestOfText, type GuestOptions } from "../testing/guest.ts";
import { type Puppet, puppets } from "../testing/puppet.ts";

/** What `run` throws, at once or later. */
const thrown = async (run: () => unknown): Promise<unknown> => {
  try {
    await run();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
};

const trap = (message: string): unknown =>
  expect.objectContaining({ code: "GUEST_FAILED", message: expect.stringContaining(message) as string });

type Row = readonly [what: string, run: (a: Puppet, b: Puppet) => unknown, message: string, item?: string];

const ends = (puppet: Puppet): readonly [number, number] => puppet.ends("new-stream");
const futures = (puppet: Puppet): readonly [number, number] => puppet.ends("new-future");
const set = (puppet: Puppet): number => puppet.call("set-new") as number;

/** A stream whose read is under way. */
function reading(puppet: Puppet): readonly [number, number] {
  const [r, w] = ends(puppet);
  puppet.call("read", r, 64, 4);
  return [r, w];
}

const streams: readonly Row[] = [
  ["a handle that is none", (a) => a.call("read", 77, 0, 1), "there is no handle 77"],
  ["the other end", (a) => a.call("read", ends(a)[1], 64, 1), "no readable end of a stream"],
  ["a future for a stream", (a) => a.call("read", futures(a)[0], 64, 1), "no readable end of a stream"],
  ["a waitable set for a stream", (a) => a.call("write", set(a), 64, 1), "no writable end of a stream"],
  ["memory that there is not", (a) => a.call("read", ends(a)[0], 131_070, 4), "not in the guest's memory"],
  ["memory that is not aligned", (a) => a.call("read", ends(a)[0], 65, 1), "not a multiple of 4", "u32"],
  ["more items than there may be", (a) => a.call("read", ends(a)[0], 0, 2 ** 28), "268435456 items", ""],
  ["a read within a read", (a) => a.call("read", reading(a)[0], 64, 1), "while it is, or after its end"],
  [
    "a read after the end",
    (a) => {
      const [r, w] = ends(a);
      a.call("drop-writable", w);
      a.call("read", r, 64, 1);
      a.call("read", r, 64, 1);
    },
    "while it is, or after its end",
  ],
  ["a drop within a read", (a) => a.call("drop-readable", reading(a)[0]), "dropped while it is copied"],
  ["nothing called off", (a) => a.call("cancel-read", ends(a)[0]), "cancelled that is not under way"],
  [
    "a read called off that is waited for",
    async (a) => {
      const [r] = ends(a);
      void a.wait("read-sync", r, 64, 4).catch(() => undefined);
      a.call("cancel-read", r);
    },
    "cancelled that is not under way",
  ],
  ["given away within a read", (a) => a.call("give-stream", reading(a)[0]), "given away while it is read"],
  ["given away, the writable end", (a) => a.call("give-stream", ends(a)[1]), "no readable end of a stream"],
  ["given away as a future", (a) => a.call("give-future", ends(a)[0]), "no readable end of a future"],
  [
    "given away in a waitable set",
    (a) => {
      const [r] = ends(a);
      a.call("join", r, set(a));
      a.call("give-stream", r);
    },
    "in a waitable set",
  ],
  [
    "waited for by itself in a waitable set",
    (a) => {
      const [r] = ends(a);
      a.call("join", r, set(a));
      return a.wait("read-sync", r, 64, 4);
    },
    "in a waitable set was waited for by itself",
  ],
  [
    "called off by a call that waits, in a waitable set",
    (a) => {
      const [r] = reading(a);
      a.call("join", r, set(a));
      return a.wait("cancel-read-sync", r);
    },
    "in a waitable set was waited for by itself",
  ],
];

const others: readonly Row[] = [
  ["a future read twice", (a) => futureTwice(a), "while it is, or after its end"],
  ["a future dropped unwritten", (a) => a.call("drop-writable-future", futures(a)[1]), "nothing has been written"],
  [
    "a future dropped unwritten after it was called off",
    (a) => {
      const [, w] = futures(a);
      a.call("write-future", w, 64);
      a.call("cancel-write-future", w);
      a.call("drop-writable-future", w);
    },
    "nothing has been written",
  ],
  [
    "a future dropped within its write",
    (a) => {
      const [, w] = futures(a);
      a.call("write-future", w, 64);
      a.call("drop-writable-future", w);
    },
    "dropped while it is copied",
  ],
  ["a set that is none", (a) => a.call("set-drop", ends(a)[0]), "no waitable set"],
  ["a set with something in it", (a) => dropWith(a), "with something in it"],
  ["a set that is waited for", (a) => dropWaited(a), "dropped while it is waited for"],
  ["a join of what cannot be waited for", (a) => a.call("join", set(a), set(a)), "nothing to wait for"],
  ["a join to no set", (a) => a.call("join", ends(a)[0], ends(a)[1]), "no waitable set"],
  [
    "a join of what a call waits for",
    async (a) => {
      const [r] = ends(a);
      void a.wait("read-sync", r, 64, 4).catch(() => undefined);
      a.call("join", r, set(a));
    },
    "was put into a waitable set",
  ],
  ["a poll to memory that there is not", (a) => a.call("poll", set(a), 131_068), "not in the guest's memory"],
  ["a poll to memory that is not aligned", (a) => a.call("poll", set(a), 2), "not a multiple of 4"],
  ["a subtask that is none", (a) => a.call("subtask-drop", set(a)), "no subtask"],
  ["a subtask called off that is none", (a) => a.call("subtask-cancel", set(a)), "no subtask"],
  ["backpressure taken back", (a) => a.call("backpressure-dec"), "nobody had asked for"],
  ["an error context that is none", (a) => a.call("error-drop", set(a)), "no error-context"],
  ["an error context whose text is nowhere", (a) => a.call("error-new", 131_070, 4), "not in the guest's memory"],
  ["an error context given away that is none", (a) => a.call("give-error", set(a)), "no error-context"],
  ["a message for memory that there is not", (a) => messageNowhere(a), "not in the guest's memory"],
];

function futureTwice(a: Puppet): void {
  const [r, w] = futures(a);
  a.call("write-future", w, 64);
  a.call("read-future", r, 128);
  a.call("read-future", r, 128);
}

function dropWith(a: Puppet): void {
  const at = set(a);
  a.call("join", ends(a)[0], at);
  a.call("set-drop", at);
}

function dropWaited(a: Puppet): void {
  const at = set(a);
  void a.wait("wait", at, 0).catch(() => undefined);
  a.call("set-drop", at);
}

function messageNowhere(a: Puppet): void {
  a.call("error-message", a.call("error-new", 64, 4), 131_068);
}

describe("each is a trap, and the guest is over", () => {
  const rows = [...streams, ...others].map(([what, run, message, item = "u8"]) => ({ what, run, message, item }));
  test.each(rows)("$what", async ({ run, message, item }) => {
    const [a, b] = await puppets({ item });
    expect(await thrown(() => run(a, b))).toEqual(trap(message));
    // Of every component in it.
    expect(await thrown(() => b.call("set-new"))).toEqual(trap(message));
  });
});

/** Functions of one component, called by another where that matters. */
const misuse = asyncComponent({
  before: `(import "test:host/api" (instance $api (export "never" (func async))))
    (alias export $api "never" (func $never))`,
  builtins: {
    return: ["task.return", ""],
    "return-u32": "task.return (result u32)",
    stop: "task.cancel",
    never: ["lower (func $never) async (memory $memory)", "(result i32)"],
    "never-sync": ["lower (func $never)", ""],
    drop: "subtask.drop",
    cancel: "subtask.cancel async",
    new: "waitable-set.new",
    wait: "waitable-set.wait (memory $memory)",
    inc: "backpressure.inc",
    suspend: "thread.suspend",
    "new-thread": "thread.new-indirect $start (core table $table)",
    later: "thread.resume-later",
    index: "thread.index",
  },
  core: `
    (func (export "twice") (result i32) (call $return) (call $return) (i32.const 0))
    (func (export "not-at-all") (result i32) (i32.const 0))
    (func (export "of-another-type") (result i32) (call $return-u32 (i32.const 1)) (i32.const 0))
    (func (export "unasked") (result i32) (call $stop) (i32.const 0))
    (func (export "in-sync") (call $return))
    (func (export "cancel-in-sync") (call $stop))
    (func (export "nonsense") (result i32) (i32.const 3))
    (func (export "set-of-none") (result i32) ${wait("(i32.const 9)")})
    (func (export "cb") (param i32 i32 i32) (result i32) unreachable)
    (func (export "stackful") nop)
    (func (export "early-drop") (call $drop (i32.shr_u (call $never) (i32.const 4))))
    (func (export "cancel-twice") (local $at i32)
      (local.set $at (i32.shr_u (call $never) (i32.const 4)))
      (drop (call $cancel (local.get $at)))
      (drop (call $cancel (local.get $at))))
    (func (export "wait-in-sync") (drop (call $wait (call $new) (i32.const 0))))
    (func (export "call-in-sync") (call $never-sync))
    (func (export "suspend-in-sync") (drop (call $suspend)))
    (func (export "pressed") (local $n i32)
      (loop $more
        (call $inc)
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br_if $more (i32.lt_u (local.get $n) (i32.const 65536)))))
    (func (export "no-thread") (drop (call $new-thread (i32.const 7) (i32.const 0))))
    (func (export "no-entry") (drop (call $new-thread (i32.const 8) (i32.const 0))))
    (func (export "later-itself") (call $later (call $index)))
    (func (export "later-nobody") (call $later (i32.const 55)))`,
  exports: {
    ...Object.fromEntries(
      ["twice", "not-at-all", "of-another-type", "unasked", "nonsense", "set-of-none"].map((name) => [
        name,
        ["async", `async (callback (core func $main "cb"))`] as const,
      ]),
    ),
    stackful: ["async", "async"],
    "in-sync": ["async", ""],
    "cancel-in-sync": ["async", ""],
    "early-drop": ["", ""],
    "cancel-twice": ["", ""],
    "wait-in-sync": ["", ""],
    "call-in-sync": ["", ""],
    "suspend-in-sync": ["", ""],
    pressed: ["", ""],
    "no-thread": ["", ""],
    "no-entry": ["", ""],
    "later-itself": ["", ""],
    "later-nobody": ["", ""],
  },
});

const never: GuestOptions = { host: { "test:host/api": { never: () => new Promise(() => undefined) } } };

test.each([
  ["twice", "returned twice"],
  ["not-at-all", "without having returned"],
  ["stackful", "without having returned"],
  ["of-another-type", "of another type"],
  ["unasked", "without having been told to stop"],
  ["in-sync", "not lifted async"],
  ["cancel-in-sync", "not lifted async"],
  ["nonsense", "a callback returned 3"],
  ["set-of-none", "there is no handle 9"],
  ["early-drop", "before the guest knew of its end"],
  ["cancel-twice", "cancelled twice"],
  ["wait-in-sync", "nothing of its component can go on"],
  ["call-in-sync", "nothing of its component can go on"],
  ["suspend-in-sync", "nothing of its component can go on"],
  ["pressed", "asked for too often"],
  ["no-thread", "no function 7 in the table"],
  ["no-entry", "no function 8 in the table"],
  ["later-itself", "waits for something else, or runs"],
  ["later-nobody", "there is no handle 55"],
])("%s is a trap", async (name, message) => {
  const guest = await guestOfText(misuse, never);
  expect(await thrown(() => guest.call(name))).toEqual(trap(message));
});

test("a guest that catches a trap does not go on", async () => {
  const guest = await guestOfText(
    asyncComponent({
      builtins: { drop: "waitable-set.drop", new: "waitable-set.new" },
      core: `(func (export "go") (result i32)
        (block $caught (try_table (catch_all $caught) (call $drop (i32.const 5))))
        (call $new))`,
      exports: { go: ["(result u32)", ""] },
    }),
  );
  expect(await thrown(() => guest.call("go"))).toEqual(trap("there is no handle 5"));
});

test("a stack's own trap is told as what it was, to whoever calls and whoever calls that", async () => {
  const inner = asyncComponent({
    builtins: { yield: "thread.yield" },
    core: `(func (export "f") (drop (call $yield)) (unreachable))
      (func (export "now") (unreachable))`,
    exports: { f: ["async", ""], now: ["async", ""] },
  });
  const outer = asyncComponent({
    before: `(import "f" (func $f async)) (import "now" (func $now async))`,
    builtins: { f: ["lower (func $f)", ""], now: ["lower (func $now)", ""] },
    core: `(func (export "g") (call $f)) (func (export "h") (call $now))`,
    exports: { g: ["async", ""], h: ["async", ""] },
  });
  const text = `(component
    ${inner.replace("(component", "(component $Inner")} ${outer.replace("(component", "(component $Outer")}
    (instance $inner (instantiate $Inner))
    (instance $outer (instantiate $Outer (with "f" (func $inner "f")) (with "now" (func $inner "now"))))
    (export "g" (func $outer "g")) (export "h" (func $outer "h")))`;
  for (const name of ["g", "h"]) {
    const guest = await guestOfText(text);
    expect(await thrown(() => guest.call(name))).toEqual(trap("unreachable"));
  }
});

test.each([
  ["start", `(func $begin (drop (call $wait (call $new) (i32.const 0)))) (start $begin)`],
  ["realloc", ""],
])("a guest that waits in its %s function is over", async (where, start) => {
  const text = asyncComponent({
    builtins: { new: "waitable-set.new", wait: "waitable-set.wait (memory $memory)" },
    core: `${start}
      (func (export "again") (param i32 i32 i32 i32) (result i32)
        (call $wait (call $new) (i32.const 0)))
      (func (export "take") (param i32 i32))`,
    exports: {
      take: [`async (param "x" string)`, `(memory $memory) (realloc (core func $main "again"))`],
    },
  });
  expect(await thrown(async () => (await guestOfText(text)).call("take", "text"))).toEqual(
    trap(where === "start" ? "had to wait where it cannot" : "called out while it must not"),
  );
});

test("a callback is not made for a function that has none of its kind", async () => {
  const guest = await guestOfText(
    asyncComponent({
      core: `(func (export "f") (result i32) (i32.const 1))
        (func (export "f-cb") (param i32 i32 i32) (result i32) (i32.const 0))`,
      exports: { f: ["async", callback("f")] },
    }),
  );
  expect(await thrown(() => guest.call("f"))).toEqual(trap("without having returned"));
});
