import { describe, expect, test } from "vitest";
import { GuestExit } from "../guest-fault.ts";
import { guestOfText, type Guest } from "../testing/guest.ts";
import { Thing, thingsComponent, ThingsHost } from "../testing/things.ts";
import { waitingComponent, waitingFunctions } from "../testing/waiting.ts";

const failed = expect.objectContaining({ code: "GUEST_FAILED" });
const waiting = waitingFunctions.map((name) => `test:host/api#${name}`);

interface Made {
  readonly guest: Guest;
  readonly marks: number[];
}

async function made(api: Readonly<Record<string, unknown>>, depth = 1, mayWait = waiting): Promise<Made> {
  const marks: number[] = [];
  const host = { "test:host/api": api, "test:host/marks": { mark: (n: number) => void marks.push(n) } };
  return { marks, guest: await guestOfText(waitingComponent(depth), { host, waiting: mayWait }) };
}

const kinds: readonly { readonly name: string; readonly member: string; readonly value: unknown }[] = [
  { name: "i32-value", member: "i32Value", value: 0xdead_beef },
  { name: "i64-value", member: "i64Value", value: 0xdead_beef_dead_beefn },
  { name: "f32-value", member: "f32Value", value: 1.5 },
  { name: "f64-value", member: "f64Value", value: Math.PI },
  { name: "text", member: "text", value: "größer 🦀" },
  { name: "nothing", member: "nothing", value: undefined },
];

describe.each([1, 2, 3])("through %i components", (depth) => {
  test.each(kinds)("the answer that was waited for is $name", async ({ name, member, value }) => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const got: unknown[] = [];
    const { guest } = await made({ [member]: (...args: readonly unknown[]) => (got.push(...args), promise) }, depth);
    const call = guest.call(`api#${name}`, ...(value === undefined ? [] : [value]));
    expect(call).toBeInstanceOf(Promise);
    expect(got).toEqual(value === undefined ? [] : [value]);
    resolve(value);
    expect(await call).toEqual(value);
    // Nothing is left of the call: the next is served as the first.
    expect(await guest.call(`api#${name}`, ...(value === undefined ? [] : [value]))).toEqual(value);
  });

  test.each(kinds)("the answer that is there at once is $name", async ({ name, member, value }) => {
    const { guest } = await made({ [member]: (answer: unknown) => answer }, depth);
    expect(await guest.call(`api#${name}`, ...(value === undefined ? [] : [value]))).toEqual(value);
  });

  test("waits twice in one call, once, and not at all", async () => {
    const answers: unknown[] = [
      Promise.resolve(2),
      Promise.resolve(3),
      Promise.resolve(4),
      5,
      6,
      Promise.resolve(7),
      8,
      9,
    ];
    const { guest } = await made({ i32Value: () => answers.shift() }, depth);
    for (const wanted of [3, 5, 7, 9]) expect(await guest.call("guest#twice", 1)).toBe(wanted);
  });
});

describe("order", () => {
  test("a guest is suspended where it waits, and goes on when the answer is there", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { guest, marks } = await made({ nothing: () => promise });
    const call = guest.call("guest#marked");
    expect(marks).toEqual([1]);
    await Promise.resolve();
    expect(marks).toEqual([1]);
    resolve();
    await call;
    expect(marks).toEqual([1, 2]);
  });

  test("a guest that need not wait takes no turn of the event loop", async () => {
    const { guest, marks } = await made({ nothing: () => undefined });
    const call = guest.call("guest#marked");
    // Nothing was awaited: what the guest does after the call is done already.
    expect(marks).toEqual([1, 2]);
    await call;
  });

  test("a component whose imports never wait is called without a promise", async () => {
    const { guest, marks } = await made({ nothing: () => undefined, i32Value: (x: number) => x + 1 }, 2, []);
    expect(guest.call("guest#twice", 1)).toBe(3);
    guest.call("guest#marked");
    expect(marks).toEqual([1, 2]);
  });
});

describe("what ends a guest that waits", () => {
  test("a promise where none may be: it does not hang, and the promise may fail unheard", async () => {
    const { guest, marks } = await made({ nothing: () => Promise.reject(new Error("late")) }, 1, []);
    expect(() => guest.call("guest#marked")).toThrow(/cannot wait/);
    expect(() => guest.call("guest#marked")).toThrow(failed);
    expect(marks).toEqual([1]);
  });

  test.each([1, 2])("the promise is rejected, behind %i components", async (depth) => {
    const { guest, marks } = await made({ nothing: () => Promise.reject(new TypeError("no answer")) }, depth);
    await expect(guest.call("guest#marked")).rejects.toThrow(failed);
    await expect(guest.call("guest#marked")).rejects.toThrow(/no answer/);
    expect(marks).toEqual([1]);
  });

  test.each([1, 2])("the guest catches that, behind %i components", async (depth) => {
    const { guest, marks } = await made({ nothing: () => Promise.reject(new TypeError("no answer")) }, depth);
    await expect(guest.call("guest#caught")).rejects.toThrow(/no answer/);
    expect(marks).toEqual([]);
  });

  test("a fault of the host stays what it is", async () => {
    const { guest } = await made({ nothing: () => Promise.reject(new GuestExit(3)) });
    await expect(guest.call("guest#marked")).rejects.toBeInstanceOf(GuestExit);
  });

  test("the answer is no value of the type", async () => {
    const { guest } = await made({ text: () => Promise.resolve(undefined) });
    await expect(guest.call("api#text", "x")).rejects.toThrow(failed);
  });

  test("it is entered while it is suspended: neither call is answered, and it is not resumed", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { guest, marks } = await made({ nothing: () => promise });
    const first = guest.call("guest#marked");
    await expect(guest.call("guest#marked")).rejects.toThrow(/was entered/);
    resolve();
    await expect(first).rejects.toThrow(failed);
    expect(marks).toEqual([1]);
    expect(guest.global("resumed")).toBe(0);
  });
});

describe("handles while a guest waits", () => {
  test("are lent until the answer is there", async () => {
    const host = new ThingsHost();
    const { promise, resolve } = Promise.withResolvers<number>();
    const guest = await guestOfText(
      thingsComponent({
        run: "(local.set $x (call $make)) (drop (call $look (local.get $x))) (call $drop (local.get $x))",
      }),
      {
        host: { "test:host/api": { ...host.interfaces["test:host/api"], look: () => promise } },
        waiting: ["test:host/api#look"],
      },
    );
    const call = guest.call("run");
    const [state] = guest.live.states;
    expect(state?.lentCount).toBe(1);
    expect(state?.handles.get(1, 0).lends).toBe(1);
    resolve(1);
    await call;
    expect(state?.lentCount).toBe(0);
    expect(host.made.map(({ drops }) => drops)).toEqual([1]);
  });
});

/**
 * A guest that waits in its start function, and one that it uses whose destructor waits. `order` of the host is told what is done:
 * 1 before and 2 after the start waits, 3 and 4 around a handle being dropped, 5 and 6 in the destructor.
 */
const beginning = ({ start = "", dtor = "" }): string => `(component
  (import "test:host/api" (instance $api (export "nothing" (func)) (export "mark" (func (param "n" u32)))))
  (core func $nothing (canon lower (func $api "nothing")))
  (core func $mark (canon lower (func $api "mark")))
  (component $Maker
    (import "nothing" (func $nothing'))
    (import "mark" (func $mark' (param "n" u32)))
    (core func $nothing (canon lower (func $nothing')))
    (core func $mark (canon lower (func $mark')))
    (core module $Destructor
      (import "host" "nothing" (func $nothing))
      (import "host" "mark" (func $mark (param i32)))
      (func (export "dtor") (param i32)
        (call $mark (i32.add (local.get 0) (i32.const 5))) ${dtor} (call $mark (i32.const 6))))
    (core instance $destructor (instantiate $Destructor (with "host" (instance
      (export "nothing" (func $nothing)) (export "mark" (func $mark))))))
    (type $R (resource (rep i32) (dtor (core func $destructor "dtor"))))
    (core func $new (canon resource.new $R))
    (core module $Make (import "host" "new" (func $new (param i32) (result i32)))
      (func (export "make") (param i32) (result i32) (call $new (local.get 0))))
    (core instance $make (instantiate $Make (with "host" (instance (export "new" (func $new))))))
    (export $R' "r" (type $R))
    (func (export "make") (param "x" u32) (result (own $R')) (canon lift (core func $make "make"))))
  (instance $maker (instantiate $Maker (with "nothing" (func $api "nothing")) (with "mark" (func $api "mark"))))
  (alias export $maker "r" (type $R))
  (core func $drop (canon resource.drop $R))
  (core func $make (canon lower (func $maker "make")))
  (core module $Guest
    (import "host" "nothing" (func $nothing))
    (import "host" "mark" (func $mark (param i32)))
    (import "host" "make" (func $make (param i32) (result i32)))
    (import "host" "drop" (func $drop (param i32)))
    (func $start (call $mark (i32.const 1)) ${start} (call $mark (i32.const 2)))
    (start $start)
    (func (export "run") (param i32)
      (local $r i32)
      (local.set $r (call $make (local.get 0)))
      (call $mark (i32.const 3)) (call $drop (local.get $r)) (call $mark (i32.const 4))))
  (core instance $guest (instantiate $Guest (with "host" (instance
    (export "nothing" (func $nothing)) (export "mark" (func $mark))
    (export "make" (func $make)) (export "drop" (func $drop))))))
  (func (export "run") (param "x" u32) (canon lift (core func $guest "run"))))`;

describe("a guest that waits in its start function or in a destructor", () => {
  const begun = async (bodies: { readonly start?: string; readonly dtor?: string }, nothing: () => unknown) => {
    const marks: number[] = [];
    const api = { nothing, mark: (n: number) => void marks.push(n) };
    const options = { host: { "test:host/api": api }, waiting: ["test:host/api#nothing"] };
    return { marks, guest: await guestOfText(beginning(bodies), options) };
  };
  const wait = "(call $nothing)";
  const caught = "(block $c (try_table (catch_all $c) (call $nothing)))";
  const answers = { late: () => Promise.resolve(), "at once": () => undefined };

  for (const [when, nothing] of Object.entries(answers)) {
    for (const body of [wait, `${wait} ${wait}`, caught]) {
      test(`start: answered ${when}: ${body}`, async () => {
        const { marks, guest } = await begun({ start: body }, nothing);
        expect(marks).toEqual([1, 2]);
        await guest.call("run", 0);
        expect(marks.slice(2)).toEqual([3, 5, 6, 4]);
      });
      test(`destructor: answered ${when}: ${body}`, async () => {
        const { marks, guest } = await begun({ dtor: body }, nothing);
        await guest.call("run", 7);
        await guest.call("run", 0);
        expect(marks.slice(2)).toEqual([3, 12, 6, 4, 3, 5, 6, 4]);
      });
    }
  }

  test.each([wait, `${caught} ${caught}`])("start: no answer ends the guest: %s", async (start) => {
    await expect(begun({ start }, () => Promise.reject(new Error("late")))).rejects.toThrow(failed);
  });

  test.each([wait, `${caught} ${caught}`])("destructor: no answer ends the guest: %s", async (dtor) => {
    const { marks, guest } = await begun({ dtor }, () => Promise.reject(new Error("late")));
    await expect(guest.call("run", 0)).rejects.toThrow(failed);
    await expect(guest.call("run", 0)).rejects.toThrow(failed);
    expect(marks).toEqual([1, 2, 3, 5]);
  });

  test("a trap in either is one of the guest", async () => {
    await expect(begun({ start: "unreachable" }, () => undefined)).rejects.toThrow("unreachable");
    const { guest } = await begun({ dtor: "unreachable" }, () => undefined);
    await expect(guest.call("run", 0)).rejects.toThrow(failed);
  });
});

/** An asynchronous component that waits in its start function or in a destructor, which are not async. */
const beginningAsync = ({ start = "", dtor = "" }): string => `(component
  (core module $Memory (memory (export "memory") 1))
  (core instance $memory (instantiate $Memory))
  (core func $set (canon waitable-set.new))
  (core func $wait (canon waitable-set.wait (memory (core memory $memory "memory"))))
  (core module $Maker
    (import "host" "set" (func $set (result i32)))
    (import "host" "wait" (func $wait (param i32 i32) (result i32)))
    (func (export "dtor") (param i32) ${dtor})
    (func $start ${start})
    (start $start))
  (core instance $maker (instantiate $Maker (with "host" (instance
    (export "set" (func $set)) (export "wait" (func $wait))))))
  (type $R (resource (rep i32) (dtor (core func $maker "dtor"))))
  (core func $new (canon resource.new $R))
  (core func $drop (canon resource.drop $R))
  (core module $Guest
    (import "host" "new" (func $new (param i32) (result i32)))
    (import "host" "drop" (func $drop (param i32)))
    (func (export "run") (call $drop (call $new (i32.const 1)))))
  (core instance $guest (instantiate $Guest (with "host" (instance
    (export "new" (func $new)) (export "drop" (func $drop))))))
  (func (export "run") (canon lift (core func $guest "run"))))`;

describe("in an asynchronous component neither may wait", () => {
  const wait = "(drop (call $wait (call $set) (i32.const 0)))";
  const run = async (bodies: { readonly start?: string; readonly dtor?: string }): Promise<unknown> =>
    (await guestOfText(beginningAsync(bodies))).call("run");

  test.each([{ start: wait }, { dtor: wait }])("%o is a trap that says so", async (bodies) => {
    await expect(run(bodies)).rejects.toThrow(/had to wait where it cannot: in a function that is not async/);
  });
  test("and what does not wait goes on", async () => {
    await run({ start: "(drop (call $set))", dtor: "(drop (call $set))" });
  });
});

describe("reset", () => {
  test("makes a guest that failed one that can be called", async () => {
    let answer = (): Promise<void> => Promise.reject(new Error("no answer"));
    const { guest, marks } = await made({ nothing: () => answer() });
    await expect(guest.call("guest#marked")).rejects.toThrow(failed);
    answer = () => Promise.resolve();
    marks.length = 0;
    guest.live.reset();
    await guest.call("guest#marked");
    expect(marks).toEqual([1, 2]);
  });

  test("leaves no handle, and gives out the first one again", async () => {
    const host = new ThingsHost();
    const core = { given: "(if (i32.ne (local.get $x) (i32.const 1)) (then unreachable))" };
    const guest = await guestOfText(thingsComponent(core), { host: host.interfaces });
    guest.call("given", new Thing());
    expect(guest.live.states[0]?.handles.size).toBe(1);
    guest.live.reset();
    expect(guest.live.states[0]?.handles.size).toBe(0);
    guest.call("given", new Thing());
    expect(guest.live.states[0]?.handles.size).toBe(1);
  });
});
