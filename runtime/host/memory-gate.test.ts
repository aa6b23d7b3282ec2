import { expect, test } from "vitest";
import type { Instance } from "../component/engine.ts";
import { MemoryGate } from "./memory-gate.ts";

const mebibyte = 1024 * 1024;

interface Guest extends Instance {
  bytes: number;
}

const guest = (bytes: number): Guest => ({
  bytes,
  handle: () => Promise.resolve(),
  memoryBytes() {
    return this.bytes;
  },
  breach: () => undefined,
  isWoken: () => false,
  dispose: () => undefined,
});

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const always = (): boolean => true;

/** Takes as many as asked for, and tells which have been let in. */
async function crowd(gate: MemoryGate, count: number, bytes: number): Promise<(Instance | undefined)[]> {
  const taken: (Instance | undefined)[] = [];
  for (let index = 0; index < count; index++) {
    void gate.take(() => Promise.resolve(guest(bytes)), always).then((instance) => taken.push(instance));
    await settled();
  }
  return taken;
}

test("lets in what fits, and the next when one leaves, in order", async () => {
  // 10 MiB hold two of 4 MiB with what each costs beside its memory.
  const gate = new MemoryGate(10 * mebibyte, 100);
  const taken = await crowd(gate, 4, 4 * mebibyte);
  expect(taken).toHaveLength(2);
  taken[0]?.dispose();
  await settled();
  expect(taken).toHaveLength(3);
  taken[0]?.dispose();
  await settled();
  expect(taken).toHaveLength(3);
});

test("one is let in however little memory there is", async () => {
  const gate = new MemoryGate(mebibyte, 100);
  expect(await crowd(gate, 3, 64 * mebibyte)).toHaveLength(1);
});

test("where there is room a crowd is not asked one by one, and its growth is seen all the same", async () => {
  const gate = new MemoryGate(1024 * mebibyte, 1000);
  const guests = Array.from({ length: 100 }, () => guest(mebibyte));
  let asked = 0;
  for (const one of guests) {
    one.memoryBytes = () => {
      asked++;
      return one.bytes;
    };
    await gate.take(() => Promise.resolve(one), always);
  }
  // Each is asked as it comes, and by one in eight of those that come after it.
  expect(asked).toBeLessThan(100 * 20);
  for (const one of guests) one.bytes = 12 * mebibyte;
  expect((await crowd(gate, 30, mebibyte)).length).toBeLessThan(14);
});

test("an instance that has grown keeps others out", async () => {
  const gate = new MemoryGate(10 * mebibyte, 100);
  const big = guest(mebibyte);
  await gate.take(() => Promise.resolve(big), always);
  big.bytes = 9 * mebibyte;
  expect(await crowd(gate, 1, mebibyte)).toHaveLength(0);
});

test("lets in at once what there is room for, and nobody before those who wait", async () => {
  const gate = new MemoryGate(10 * mebibyte, 100);
  const first = gate.takeNow(() => guest(4 * mebibyte), always);
  const second = gate.takeNow(() => guest(4 * mebibyte), always);
  expect(gate.takeNow(() => guest(4 * mebibyte), always)).toBeUndefined();
  const waiting = gate.take(() => Promise.resolve(guest(9 * mebibyte)), always);
  first?.dispose();
  expect(await waiting).toBeDefined();
  void gate.take(() => Promise.resolve(guest(mebibyte)), always);
  second?.dispose();
  expect(gate.takeNow(() => guest(mebibyte), always)).toBeUndefined();
});

test("who is not wanted any more takes no place", async () => {
  const gate = new MemoryGate(10 * mebibyte, 100);
  const [first] = await crowd(gate, 1, 9 * mebibyte);
  let made = 0;
  const make = (): Promise<Instance> => {
    made += 1;
    return Promise.resolve(guest(mebibyte));
  };
  const gone = gate.take(make, () => false);
  const next = gate.take(make, always);
  first?.dispose();
  expect(await gone).toBeUndefined();
  expect(await next).toBeDefined();
  expect(made).toBe(1);
});

test("a guest that cannot be made gives its place back", async () => {
  const gate = new MemoryGate(10 * mebibyte, 100);
  const broken = gate.take(() => Promise.reject(new Error("broken")), always);
  await expect(broken).rejects.toThrow("broken");
  expect(await crowd(gate, 2, 4 * mebibyte)).toHaveLength(2);
});
