import { expect, test } from "vitest";
import { asyncComponent, callback, compose } from "../testing/async-component.ts";
import { guestOfText } from "../testing/guest.ts";

// A function of the host that is not async, and waits nevertheless (as those of WASI 0.2 do), is a part of its caller's turn: nothing
// else of the guest runs before it has answered, however deep the call is.

const waiter = asyncComponent({
  before: `(import "test:host/api" (instance $api (export "slow" (func (param "x" u32) (result u32)))))
    (alias export $api "slow" (func $slow))`,
  builtins: {
    slow: ["lower (func $slow)", "(param i32) (result i32)"],
    return: "task.return (result u32)",
  },
  core: `
    (func (export "by-callback") (param i32) (result i32) (call $return (call $slow (local.get 0))) (i32.const 0))
    (func (export "by-callback-cb") (param i32 i32 i32) (result i32) unreachable)
    (func (export "on-a-stack") (param i32) (call $return (call $slow (local.get 0))))
    (func (export "plain") (param i32) (result i32) (call $slow (local.get 0)))
    (func (export "twice") (param i32) (result i32) (i32.add (call $slow (local.get 0)) (call $slow (local.get 0))))`,
  exports: {
    "by-callback": [`async (param "x" u32) (result u32)`, callback("by-callback")],
    "on-a-stack": [`async (param "x" u32) (result u32)`, "async"],
    plain: [`(param "x" u32) (result u32)`, ""],
    twice: [`(param "x" u32) (result u32)`, ""],
  },
});

const names = ["by-callback", "on-a-stack"];

/** Calls each async, and gives the status that it had from the call. */
const caller = asyncComponent({
  before: `${names.map((name) => `(import "${name}" (func $${name} async (param "x" u32) (result u32)))`).join("\n")}
    (import "plain" (func $plain (param "x" u32) (result u32)))`,
  builtins: {
    ...Object.fromEntries(
      names.map((name) => [
        name,
        [`lower (func $${name}) async (memory $memory)`, "(param i32 i32) (result i32)"] as const,
      ]),
    ),
    plain: ["lower (func $plain)", "(param i32) (result i32)"],
  },
  core: `${names
    .map(
      (name) => `(func (export "${name}") (param i32) (result i32)
      (i32.add (call $${name} (local.get 0) (i32.const 8)) (i32.load (i32.const 8))))`,
    )
    .join("\n")}
    (func (export "plain") (param i32) (result i32) (call $plain (local.get 0)))`,
  exports: {
    ...Object.fromEntries(names.map((name) => [name, [`async (param "x" u32) (result u32)`, ""] as const])),
    plain: [`(param "x" u32) (result u32)`, ""],
  },
});

interface Slow {
  readonly asked: number[];
  readonly answers: (() => void)[];
  readonly slow: (x: number) => number | Promise<number>;
}

/** Answers 0 at once, and other numbers when it is told to. */
function slowHost(): Slow {
  const asked: number[] = [];
  const answers: (() => void)[] = [];
  return {
    asked,
    answers,
    slow(x) {
      asked.push(x);
      return x === 0 ? 0 : new Promise((resolve) => void answers.push(() => resolve(x * 10)));
    },
  };
}

const turn = async (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
const waiting = ["test:host/api#slow"];

test.each([...names, "plain"])("%s: nothing else of the guest runs meanwhile", async (name) => {
  const { asked, answers, slow } = slowHost();
  const guest = await guestOfText(waiter, { host: { "test:host/api": { slow } }, waiting });
  expect(guest.call(name, 0)).toBe(0);
  const first = guest.call(name, 1);
  const second = guest.call("plain", 2);
  await turn();
  expect(asked).toEqual([0, 1]);
  answers[0]?.();
  expect(await first).toBe(10);
  await turn();
  expect(asked).toEqual([0, 1, 2]);
  answers[1]?.();
  expect(await second).toBe(20);
});

test("it waits as often as it has to", async () => {
  const { answers, slow } = slowHost();
  const guest = await guestOfText(waiter, { host: { "test:host/api": { slow } }, waiting });
  const sum = guest.call("twice", 3);
  for (const at of [0, 1]) {
    await turn();
    answers[at]?.();
  }
  expect(await sum).toBe(60);
});

test.each(names)("%s: whoever calls it async waits with it, and has its result from the call", async (name) => {
  const text = compose(
    [
      {
        name: "waiter",
        text: waiter.replace(
          /\(import "test:host\/api"[\s\S]*?\(func \$slow\)\)/,
          `(import "slow" (func $slow (param "x" u32) (result u32)))`,
        ),
        given: `(with "slow" (func $slow))`,
      },
      {
        name: "caller",
        text: caller,
        given: [...names, "plain"].map((one) => `(with "${one}" (func $waiter "${one}"))`).join(" "),
      },
    ],
    [...names, "plain"].map((one) => [one, "caller"] as const),
  ).replace(
    "(component",
    `(component (import "test:host/api" (instance $api (export "slow" (func (param "x" u32) (result u32)))))
      (alias export $api "slow" (func $slow))`,
  );
  const { answers, slow } = slowHost();
  const guest = await guestOfText(text, { host: { "test:host/api": { slow } }, waiting });
  // Returned, and the result.
  expect(guest.call(name, 0)).toBe(2);
  const call = guest.call(name, 4);
  await turn();
  answers[0]?.();
  expect(await call).toBe(42);
  const plain = guest.call("plain", 5);
  await turn();
  answers[1]?.();
  expect(await plain).toBe(50);
});

test("the host fails while it is waited for", async () => {
  const slow = (): Promise<number> => Promise.reject(new Error("no such thing"));
  const guest = await guestOfText(waiter, { host: { "test:host/api": { slow } }, waiting });
  const others = [guest.start("plain", 2), guest.start("on-a-stack", 3)];
  for (const { returned } of others) await expect(returned).rejects.toThrow("no such thing");
});

test("the guest is told apart from its waiting", async () => {
  const { answers, slow } = slowHost();
  const guest = await guestOfText(waiter, { host: { "test:host/api": { slow } }, waiting });
  const told: boolean[] = [];
  guest.live.running = (isRunning) => void told.push(isRunning);
  const call = guest.call("plain", 1);
  await turn();
  expect(told).toEqual([true, false]);
  answers[0]?.();
  await call;
  await turn();
  expect(told.at(-1)).toBe(false);
  expect(told.slice(0, 3)).toEqual([true, false, true]);
});
