import { FakeClock } from "@shallop/sdk/internal/testing";
import { expect, test } from "vitest";
import type { CompiledModules } from "./artifact-cache.ts";
import { parkingKey } from "./parked-components.ts";
import type { HostPod } from "./control-protocol.ts";
import { type PodOver, type SpareThread, SpareThreads } from "./spare-threads.ts";
import { hostPod as pod } from "./testing/host-pod.ts";
import { practiceNumber, startNumber } from "./thread-protocol.ts";

class Thread implements SpareThread {
  readonly ready: () => void;
  isGone = false;
  isClaimed = false;
  hasRested = false;
  running = 0;
  lateMs = -1;
  /** Whether it serves another pod. */
  isFit = true;
  readonly parked: string[] = [];
  readonly practised: string[] = [];

  constructor(ready: () => void) {
    this.ready = ready;
  }

  hasParked(key: string): boolean {
    return this.parked.includes(key);
  }

  park(start: Parameters<SpareThread["park"]>[0], _: CompiledModules, { practises }: { practises: boolean }): void {
    this.parked.push(parkingKey(start));
    if (practises) this.practise(start);
  }

  practise(start: Parameters<SpareThread["practise"]>[0]): void {
    this.practised.push(parkingKey(start));
  }

  overdueMs(): number {
    return this.lateMs;
  }

  async rest(): Promise<boolean> {
    this.hasRested = this.isFit;
    this.isClaimed = false;
    return this.isFit;
  }

  claim(): boolean {
    const isFree = !this.isClaimed;
    this.isClaimed = true;
    return isFree;
  }

  async terminate(): Promise<boolean> {
    this.isGone = true;
    return true;
  }
}

/** Its pod is over, and has served. */
const over = (pod: HostPod, hasServed = true): PodOver => ({ pod, hasServed });

function spare({
  modules = () => new Map(),
  changed = () => undefined,
  isCrowded = () => false,
}: {
  modules?: () => CompiledModules;
  changed?: () => void;
  isCrowded?: () => boolean;
} = {}) {
  const clock = new FakeClock();
  const made: Thread[] = [];
  const threads = new SpareThreads<Thread>({
    clock,
    make: (ready) => {
      const thread = new Thread(ready);
      made.push(thread);
      return thread;
    },
    socketPath: () => "/t",
    isCrowded,
    changed,
    modules,
  });
  threads.fill();
  return { clock, made, threads };
}

test("one waits; the next is made after the answer that took it, or a while later", async () => {
  const { clock, made, threads } = spare();
  expect(threads.take("")).toBe(made[0]);
  expect(threads.size).toBe(0);
  await clock.advance(399);
  expect(made).toHaveLength(1);
  await clock.advance(1);
  expect(made).toHaveLength(2);
  threads.take("");
  threads.served();
  await clock.advance(25);
  expect(made).toHaveLength(3);
  // Nobody has waited for it: there is one at once.
  threads.take("");
  expect(threads.take("")).toBe(made[3]);
});

test("while a crowd is there none is made, for three seconds at most", async () => {
  let isCrowded = true;
  const { clock, made, threads } = spare({ isCrowded: () => isCrowded });
  threads.take("");
  await clock.advance(2_000);
  expect(made).toHaveLength(1);
  isCrowded = false;
  await clock.advance(400);
  expect(made).toHaveLength(2);
  isCrowded = true;
  threads.take("");
  await clock.advance(3_000);
  expect(made).toHaveLength(2);
  await clock.advance(800);
  expect(made).toHaveLength(3);
});

test("a new one parks what came up last, unless it waits elsewhere", async () => {
  const { clock, made, threads } = spare();
  made[0]?.ready();
  expect(made[0]?.parked, "there was no pod yet").toEqual([]);
  const one = pod("one");
  const first = threads.take(parkingKey(one));
  threads.cameUp(one);
  await clock.advance(400);
  made[1]?.ready();
  expect(made[1]?.parked).toEqual([parkingKey(one)]);
  // It rests with the component that it had.
  first.parked.push(parkingKey(one));
  expect(await threads.rest(first, over(one))).toBe(true);
  expect(threads.take("another program's"), "one that has served, rather than a new one").toBe(first);
  expect(threads.take(parkingKey(one))).toBe(made[1]);
});

test("one that is taken before it is warm parks nothing, and none parks what another has", async () => {
  const { clock, made, threads } = spare();
  const one = pod("one");
  threads.cameUp(one);
  threads.take("");
  made[0]?.ready();
  expect(made[0]?.parked).toEqual([]);
  const resting = made[0] ?? threads.take("");
  resting.parked.push(parkingKey(one));
  await clock.advance(400);
  await threads.rest(resting, over(one));
  made[1]?.ready();
  expect(made[1]?.parked).toEqual([]);
});

test("a guest that does not come up while it waits costs its thread, and no other one is asked again", async () => {
  const { clock, made, threads } = spare();
  threads.cameUp(pod("one"));
  made[0]?.ready();
  Object.assign(made[0] ?? {}, { running: startNumber, lateMs: -10 });
  threads.check();
  expect(made[0]?.isGone).toBe(false);
  Object.assign(made[0] ?? {}, { lateMs: 1 });
  threads.check();
  expect([made[0]?.isGone, threads.size]).toEqual([true, 0]);
  await clock.advance(25);
  made[1]?.ready();
  expect([threads.size, made[1]?.parked]).toEqual([1, []]);
});

test("what has been parked and has served nothing practises", async () => {
  const { made, threads } = spare();
  const [one, two] = [pod("one"), pod("two")];
  threads.cameUp(one);
  made[0]?.ready();
  expect(made[0]?.practised).toEqual([parkingKey(one)]);
  const [served, idle] = [threads.take(""), threads.take("")];
  await threads.rest(served, over(two));
  expect(served.practised.slice(1)).toEqual([]);
  await threads.rest(idle, over(two, false));
  expect(idle.practised).toEqual([parkingKey(two)]);
});

test("a guest that does not come to an end with its practice costs its thread, and does not practise again; others do", async () => {
  const { clock, made, threads } = spare();
  const [spins, another] = [pod("spins"), pod("another")];
  const thread = threads.take("");
  threads.cameUp(spins);
  await threads.rest(thread, over(spins, false));
  Object.assign(thread, { running: practiceNumber, lateMs: 1 });
  threads.check();
  expect(thread.isGone).toBe(true);
  await clock.advance(25);
  made[1]?.ready();
  expect([made[1]?.parked, made[1]?.practised], "it is parked all the same").toEqual([[parkingKey(spins)], []]);
  const next = threads.take("");
  await threads.rest(next, over(spins, false));
  expect(next.practised).toEqual([]);
  await threads.rest(threads.take(""), over(another, false));
  expect(next.practised).toEqual([parkingKey(another)]);
});

test("a component whose files are gone is forgotten", () => {
  const { made, threads } = spare({
    modules: () => {
      throw new Error("ENOENT");
    },
  });
  threads.cameUp(pod("gone"));
  made[0]?.ready();
  expect(made[0]?.parked).toEqual([]);
});

test("four rest at most: of those that have served, the one whose pod was over first goes", async () => {
  const { made, threads } = spare();
  const taken = Array.from({ length: 6 }, () => threads.take(""));
  for (const thread of taken) expect(await threads.rest(thread, over(pod("one")))).toBe(true);
  expect(taken.map(({ isGone }) => isGone)).toEqual([true, true, false, false, false, false]);
  const unfit = threads.take("");
  unfit.isFit = false;
  expect(await threads.rest(unfit, over(pod("one")))).toBe(false);
  await threads.close();
  expect(made.filter((thread) => thread !== unfit).every(({ isGone }) => isGone)).toBe(true);
});

test("one that had nothing to park, because another had it, parks it when that is gone", async () => {
  const { clock, made, threads } = spare();
  const one = pod("one");
  const key = parkingKey(one);
  const first = threads.take(key);
  threads.cameUp(one);
  await clock.advance(400);
  first.parked.push(key);
  await threads.rest(first, over(one));
  made[1]?.ready();
  expect(made[1]?.parked, "the first has it").toEqual([]);
  threads.woken(first);
  await clock.advance(400);
  expect(made[1]?.parked).toEqual([key]);
});

test("one that has become a pod by itself is nobody's any more, whether that has been told or not", async () => {
  let changes = 0;
  const { clock, made, threads } = spare({ changed: () => void changes++ });
  const one = pod("one");
  const key = parkingKey(one);
  const first = threads.take("");
  first.parked.push(key);
  await threads.rest(first, over(one));
  expect(threads.parkedWith(key)).toBe(first);
  expect(threads.parkedWith("another")).toBeUndefined();
  expect(threads.has(first)).toBe(true);
  const before = changes;
  // Somebody connects at this moment.
  first.isClaimed = true;
  const second = threads.take(key);
  expect(second).not.toBe(first);
  threads.woken(first);
  expect(threads.has(first)).toBe(false);
  await clock.advance(400);
  expect(changes, "a new one is there").toBeGreaterThan(before);
  expect(made.at(-1)?.isClaimed).toBe(false);
  await threads.close();
  expect([first.isGone, second.isGone], "theirs who have them").toEqual([false, false]);
});
