import { describe, expect, test } from "vitest";
import { asyncComponent, callback, compose, wait } from "../testing/async-component.ts";
import { type Guest, guestOfText, type GuestOptions } from "../testing/guest.ts";

const turn = async (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** What a component gives another that waits in each of the ways that there are, and how it takes being told to stop. */
const callee = asyncComponent({
  builtins: {
    return: "task.return (result u32)",
    stop: "task.cancel",
    new: "waitable-set.new",
    wait: "waitable-set.wait (memory $memory)",
    inc: "backpressure.inc",
    dec: "backpressure.dec",
    yield: "thread.yield",
  },
  core: `
    (global $told (export "told") (mut i32) (i32.const 0))
    (func (export "patient") (result i32) ${wait("(call $new)")})
    (func (export "patient-cb") (param i32 i32 i32) (result i32)
      (call $expect (local.get 0) (i32.const 6))
      (global.set $told (i32.add (global.get $told) (i32.const 1)))
      (call $stop)
      (i32.const 0))
    ;; Told to stop it returns nevertheless.
    (func (export "stubborn") (result i32) ${wait("(call $new)")})
    (func (export "stubborn-cb") (param i32 i32 i32) (result i32) (call $return (i32.const 9)) (i32.const 0))
    (func (export "on-a-stack")
      (call $expect (call $wait (call $new) (i32.const 0)) (i32.const 6))
      (call $stop))
    (func (export "deaf") (result i32)
      (drop (call $yield)) (i32.const 7))
    (func (export "press") (call $inc))
    (func (export "release") (call $dec))
    (func (export "at-once") (result i32) (i32.const 5))`,
  exports: {
    patient: ["async (result u32)", callback("patient")],
    stubborn: ["async (result u32)", callback("stubborn")],
    "on-a-stack": ["async (result u32)", "async"],
    deaf: ["async (result u32)", ""],
    press: ["", ""],
    release: ["", ""],
    "at-once": ["async (result u32)", ""],
  },
});

const calls = ["patient", "stubborn", "on-a-stack", "deaf", "at-once"];

/** Each call is begun by `begin-NAME`, and its result goes to 64. */
const caller = asyncComponent({
  before: [
    ...calls.map((name) => `(import "${name}" (func $${name} async (result u32)))`),
    `(import "press" (func $press)) (import "release" (func $release))`,
  ].join("\n"),
  builtins: {
    ...Object.fromEntries(
      calls.map((name) => [
        name,
        [`lower (func $${name}) async (memory $memory)`, "(param i32) (result i32)"] as const,
      ]),
    ),
    "press-it": ["lower (func $press)", ""],
    "release-it": ["lower (func $release)", ""],
    cancel: "subtask.cancel async",
    "cancel-sync": "subtask.cancel",
    drop: "subtask.drop",
    new: "waitable-set.new",
    join: "waitable.join",
    poll: "waitable-set.poll (memory $memory)",
    wait: "waitable-set.wait (memory $memory)",
  },
  core: `
    ${calls.map((name) => `(func (export "begin-${name}") (result i32) (call $${name} (i32.const 64)))`).join("\n")}
    (func (export "press") (call $press-it))
    (func (export "release") (call $release-it))
    (func (export "cancel") (param i32) (result i32) (call $cancel (local.get 0)))
    (func (export "cancel-sync") (param i32) (result i32) (call $cancel-sync (local.get 0)))
    (func (export "drop") (param i32) (call $drop (local.get 0)))
    (func (export "result") (result i32) (i32.load (i32.const 64)))
    (func (export "watch") (param i32) (result i32)
      (local $set i32)
      (local.set $set (call $new))
      (call $join (local.get 0) (local.get $set))
      (local.get $set))
    ;; The state that the event tells of, or -1.
    (func (export "poll") (param i32) (result i32)
      (if (result i32) (i32.eqz (call $poll (local.get 0) (i32.const 0)))
        (then (i32.const -1)) (else (i32.load (i32.const 4)))))
    (func (export "wait") (param i32) (result i32)
      (drop (call $wait (local.get 0) (i32.const 0)))
      (i32.load (i32.const 4)))`,
  exports: {
    ...Object.fromEntries(calls.map((name) => [`begin-${name}`, ["async (result u32)", ""] as const])),
    press: ["", ""],
    release: ["", ""],
    cancel: [`async (param "x" u32) (result s32)`, ""],
    "cancel-sync": [`async (param "x" u32) (result s32)`, ""],
    drop: [`(param "x" u32)`, ""],
    result: ["(result u32)", ""],
    watch: [`(param "x" u32) (result u32)`, ""],
    poll: [`(param "x" u32) (result s32)`, ""],
    wait: [`async (param "x" u32) (result s32)`, ""],
  },
});

const text = compose(
  [
    { name: "callee", text: callee },
    {
      name: "caller",
      text: caller,
      given: [...calls, "press", "release"].map((name) => `(with "${name}" (func $callee "${name}"))`).join(" "),
    },
  ],
  [
    ...calls.map((name) => [`begin-${name}`, "caller"] as const),
    ...["press", "release", "cancel", "cancel-sync", "drop", "result", "watch", "poll", "wait"].map(
      (name) => [name, "caller"] as const,
    ),
  ],
);

const pair = async (options?: GuestOptions): Promise<Guest> => guestOfText(text, options);

const states = ["starting", "started", "returned", "cancelled before started", "cancelled before returned"] as const;

async function begin(guest: Guest, name: string): Promise<{ readonly state: string | undefined; readonly at: number }> {
  const status = Number(await guest.call(`begin-${name}`));
  return { state: states[status & 0xf], at: status >>> 4 };
}

describe("a call from one component to another", () => {
  test("that is answered at once has no subtask", async () => {
    const guest = await pair();
    expect(await begin(guest, "at-once")).toEqual({ state: "returned", at: 0 });
    expect(guest.call("result")).toBe(5);
  });

  test("that waits is told of by an event", async () => {
    const guest = await pair();
    const { state, at } = await begin(guest, "deaf");
    expect(state).toBe("started");
    const set = guest.call("watch", at);
    expect(states[(await guest.call("wait", set)) as number]).toBe("returned");
    expect(guest.call("result")).toBe(7);
    guest.call("drop", at);
  });

  test("waits to be let in, tells that it was, and then its result", async () => {
    const guest = await pair();
    guest.call("press");
    const { state, at } = await begin(guest, "deaf");
    expect(state).toBe("starting");
    const set = guest.call("watch", at);
    await turn();
    expect(guest.call("poll", set)).toBe(-1);
    guest.call("release");
    expect(states[(await guest.call("wait", set)) as number]).toBe("started");
    expect(states[(await guest.call("wait", set)) as number]).toBe("returned");
  });

  test("those that wait to be let in come in their order, one after the other", async () => {
    const guest = await pair();
    guest.call("press");
    const first = await begin(guest, "deaf");
    const second = await begin(guest, "deaf");
    guest.call("release");
    const third = await begin(guest, "deaf");
    expect([first, second, third].map(({ state }) => state)).toEqual(["starting", "starting", "starting"]);
    for (const { at } of [first, second, third]) {
      const set = guest.call("watch", at);
      for (let state = 0; state < 2;) state = (await guest.call("wait", set)) as number;
      guest.call("drop", at);
    }
    expect(guest.live.isQuiet).toBe(true);
  });
});

describe("a call is told to stop", () => {
  test.each([
    ["patient", "cancelled before returned"],
    ["stubborn", "returned"],
    ["on-a-stack", "cancelled before returned"],
  ])("%s: it was %s when the cancel returns", async (name, wanted) => {
    for (const cancel of ["cancel", "cancel-sync"]) {
      const guest = await pair({ cancellable: true });
      const { at } = await begin(guest, name);
      expect(states[(await guest.call(cancel, at)) as number]).toBe(wanted);
      guest.call("drop", at);
    }
  });

  test("before it was let in: it never begins", async () => {
    const guest = await pair();
    guest.call("press");
    const { at } = await begin(guest, "patient");
    expect(states[(await guest.call("cancel", at)) as number]).toBe("cancelled before started");
    guest.call("release");
    await turn();
    expect(guest.global("told")).toBe(0);
  });

  test("one that does not listen goes on: the cancel blocks, or waits for it", async () => {
    const guest = await pair();
    const one = await begin(guest, "deaf");
    expect(await guest.call("cancel", one.at)).toBe(-1);
    const set = guest.call("watch", one.at);
    expect(states[(await guest.call("wait", set)) as number]).toBe("returned");
    const two = await begin(guest, "deaf");
    expect(states[(await guest.call("cancel-sync", two.at)) as number]).toBe("returned");
  });

  test("one that was told while it did not listen is told when it does", async () => {
    const guest = await pair();
    // Another has the stack to itself, so the callback cannot be called.
    const first = await begin(guest, "patient");
    const second = await begin(guest, "deaf");
    expect(await guest.call("cancel", first.at)).toBe(-1);
    const set = guest.call("watch", second.at);
    expect(states[(await guest.call("wait", set)) as number]).toBe("returned");
    expect(guest.global("told")).toBe(0);
  });
});

describe("components behind each other", () => {
  /** `depth` components, each of which calls the next and adds one; the innermost calls the host. */
  function chain(depth: number, options: { readonly lift: string; readonly body: (call: string) => string }): string {
    const link = asyncComponent({
      before: `(import "next" (func $next async (param "x" u32) (result u32)))`,
      builtins: { next: ["lower (func $next)", "(param i32) (result i32)"], return: "task.return (result u32)" },
      core: `(func (export "f") (param i32) ${options.body("(i32.add (call $next (local.get 0)) (i32.const 1))")}
        (func (export "f-cb") (param i32 i32 i32) (result i32) unreachable)`,
      exports: { f: [`async (param "x" u32) (result u32)`, options.lift] },
    }).replace("(component", "(component $Link");
    const instances = Array.from({ length: depth }, (_, index) => {
      const next = index === 0 ? `(func $host)` : `(func $i${index - 1} "f")`;
      return `(instance $i${index} (instantiate $Link (with "next" ${next})))`;
    });
    return `(component
      (import "test:host/api" (instance $api (export "next" (func async (param "x" u32) (result u32)))))
      (alias export $api "next" (func $host))
      ${link} ${instances.join("\n")}
      (export "f" (func $i${depth - 1} "f")))`;
  }

  test.each([
    ["lifted without async", "", (call: string) => `(result i32) ${call})`],
    ["with a stack", "async", (call: string) => `(call $return ${call}))`],
    ["with a callback", callback("f"), (call: string) => `(result i32) (call $return ${call}) (i32.const 0))`],
  ])("%s: a chain of them waits for the host, and others pass it meanwhile", async (_, lift, body) => {
    const answers: ((value: number) => void)[] = [];
    const next = (x: number): number | Promise<number> =>
      x === 1 ? x : new Promise<number>((resolve) => answers.push(resolve));
    const host = { "test:host/api": { next } };
    const guest = await guestOfText(chain(20, { lift, body }), { host });
    expect(guest.call("f", 1)).toBe(21);
    const slow = guest.start("f", 2);
    await turn();
    answers[0]?.(100);
    expect(await slow.returned).toBe(120);
    await slow.ended;
    expect(guest.live.isQuiet).toBe(true);
  });
});

describe("handles that are lent", () => {
  /** `lender` makes a thing and lends it; `borrower` keeps it as its export says. */
  const borrower = asyncComponent({
    before: `(import "thing" (type $thing (sub resource)))`,
    builtins: {
      drop: ["resource.drop $thing", "(param i32)"],
      return: ["task.return", ""],
      yield: "thread.yield",
    },
    core: `
      (func (export "keep") (param i32) (result i32) (call $return) (i32.const 0))
      (func (export "keep-cb") (param i32 i32 i32) (result i32) unreachable)
      (func (export "give-back") (param i32) (result i32) (call $drop (local.get 0)) (call $return) (i32.const 0))
      (func (export "give-back-cb") (param i32 i32 i32) (result i32) unreachable)
      (func (export "late") (param i32) (drop (call $yield)) (call $drop (local.get 0)))`,
    exports: {
      keep: [`async (param "t" (borrow $thing))`, callback("keep")],
      "give-back": [`async (param "t" (borrow $thing))`, callback("give-back")],
      late: [`async (param "t" (borrow $thing))`, ""],
    },
  });
  const names = ["keep", "give-back", "late"];
  const lender = asyncComponent({
    before: `(import "thing" (type $thing (sub resource)))
      (import "make" (func $make (result (own $thing))))
      ${names.map((name) => `(import "${name}" (func $${name} async (param "t" (borrow $thing))))`).join("\n")}`,
    builtins: {
      make: ["lower (func $make)", "(result i32)"],
      drop: ["resource.drop $thing", "(param i32)"],
      ...Object.fromEntries(
        names.map((name) => [name, [`lower (func $${name}) async`, "(param i32) (result i32)"] as const]),
      ),
      new: "waitable-set.new",
      join: "waitable.join",
      wait: "waitable-set.wait (memory $memory)",
    },
    core: `
      (global $thing (mut i32) (i32.const 0))
      ${names
        .map(
          (name) => `(func (export "${name}") (result i32)
            (global.set $thing (call $make)) (call $${name} (global.get $thing)))`,
        )
        .join("\n")}
      (func (export "drop") (call $drop (global.get $thing)))
      (func (export "wait") (param i32) (local $set i32)
        (local.set $set (call $new))
        (call $join (local.get 0) (local.get $set))
        (drop (call $wait (local.get $set) (i32.const 0))))`,
    exports: {
      ...Object.fromEntries(names.map((name) => [name, ["async (result u32)", ""] as const])),
      drop: ["", ""],
      wait: [`async (param "x" u32)`, ""],
    },
  });
  const maker = `(component
    (type $thing' (resource (rep i32)))
    (core func $new (canon resource.new $thing'))
    (core module $M (import "" "new" (func $new (param i32) (result i32)))
      (func (export "make") (result i32) (call $new (i32.const 1))))
    (core instance $m (instantiate $M (with "" (instance (export "new" (func $new))))))
    (export $thing "thing" (type $thing'))
    (func (export "make") (result (own $thing)) (canon lift (core func $m "make"))))`;
  const given = (from: string): string => names.map((name) => `(with "${name}" (func $${from} "${name}"))`).join(" ");
  const lending = compose(
    [
      { name: "maker", text: maker },
      { name: "borrower", text: borrower, given: `(with "thing" (type $maker "thing"))` },
      {
        name: "lender",
        text: lender,
        given: `(with "thing" (type $maker "thing")) (with "make" (func $maker "make")) ${given("borrower")}`,
      },
    ],
    [...names, "drop", "wait"].map((name) => [name, "lender"] as const),
  );

  test("have to be given back before the task returns", async () => {
    const guest = await guestOfText(lending);
    await expect((async () => guest.call("keep"))()).rejects.toThrow("still holds what it was lent");
  });

  test("are free again when the call is over", async () => {
    const guest = await guestOfText(lending);
    expect(await guest.call("give-back")).toBe(2);
    expect(() => guest.call("drop")).not.toThrow();
  });

  test("are not free while the call is under way, nor before its caller knows of its end", async () => {
    const guest = await guestOfText(lending);
    await guest.call("late");
    await turn();
    await expect((async () => guest.call("drop"))()).rejects.toThrow("lent to a call that has not ended");
    const other = await guestOfText(lending);
    const status = (await other.call("late")) as number;
    await other.call("wait", status >>> 4);
    expect(() => other.call("drop")).not.toThrow();
  });
});

test("a component that wraps another calls it and is called by it, but the inner is entered once", async () => {
  const functions = ["f", "again"];
  const text = `(component
    (core module $Inner
      (type $call (func (result i32)))
      (table (export "table") 1 funcref)
      (func (export "f") (result i32) (i32.const 3))
      (func (export "again") (result i32) (call_indirect (type $call) (i32.const 0))))
    (core instance $inner (instantiate $Inner))
    ${functions.map((name) => `(func $${name} (result u32) (canon lift (core func $inner "${name}")))`).join("\n")}
    (component $Child
      ${functions.map((name) => `(import "${name}" (func $${name} (result u32)))`).join("\n")}
      ${functions.map((name) => `(core func $c-${name} (canon lower (func $${name})))`).join("\n")}
      (core module $M
        ${functions.map((name) => `(import "" "${name}" (func $${name} (result i32)))`).join("\n")}
        ${functions.map((name) => `(func (export "g-${name}") (result i32) (i32.add (call $${name}) (i32.const 10)))`).join("\n")})
      (core instance $m (instantiate $M (with "" (instance
        ${functions.map((name) => `(export "${name}" (func $c-${name}))`).join(" ")}))))
      ${functions.map((name) => `(func (export "g-${name}") (result u32) (canon lift (core func $m "g-${name}")))`).join("\n")})
    (instance $child (instantiate $Child (with "f" (func $f)) (with "again" (func $again))))
    ${functions.map((name) => `(core func $g-${name} (canon lower (func $child "g-${name}")))`).join("\n")}
    (core module $Outer
      (import "" "table" (table 1 funcref))
      ${functions.map((name) => `(import "" "g-${name}" (func $g-${name} (result i32)))`).join("\n")}
      (elem (i32.const 0) $g-f)
      ${functions.map((name) => `(func (export "h-${name}") (result i32) (i32.add (call $g-${name}) (i32.const 100)))`).join("\n")})
    (core instance $outer (instantiate $Outer (with "" (instance
      (export "table" (table $inner "table"))
      ${functions.map((name) => `(export "g-${name}" (func $g-${name}))`).join(" ")}))))
    ${functions.map((name) => `(func (export "h-${name}") (result u32) (canon lift (core func $outer "h-${name}")))`).join("\n")}
    ;; What makes it one of the asynchronous ABI.
    (type $none (stream)) (core func (canon stream.new $none)))`;
  const guest = await guestOfText(text);
  expect(guest.call("h-f")).toBe(113);
  expect(() => guest.call("h-again")).toThrow("was entered while a call is in it");
});
