import { FakeClock } from "@shallop/sdk/internal/testing";
import { expect, test } from "vitest";
import { ThreadTime } from "./thread-time.ts";

/** A thread among others of a process that has both processors all the time. */
class Thread {
  readonly clock = new FakeClock();
  ownMs: number | undefined = 0;
  deadline = Number.POSITIVE_INFINITY;
  readonly time = new ThreadTime(this, { clock: this.clock, processMs: () => this.clock.nowMs() * 2 });

  overdueMs(): number {
    return this.clock.nowMs() - this.deadline;
  }

  /** `ms` go by; it has the processor for `share` of them. */
  async pass(ms: number, share: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 5) {
      if (this.ownMs !== undefined) this.ownMs += 5 * share;
      await this.clock.advance(5);
    }
  }
}

/** Whether the wait has ended, without waiting for it. */
function ending(wait: Promise<string>): () => boolean {
  let isOver = false;
  void wait.then(() => (isOver = true));
  return () => isOver;
}

test("a thread is given as long as it has had the processor, whatever the others take", async () => {
  const thread = new Thread();
  const wait = thread.time.until(() => false, 250);
  const hasEnded = ending(wait);
  await thread.pass(2_000, 0.1);
  expect(hasEnded()).toBe(false);
  await thread.pass(600, 0.1);
  expect(hasEnded()).toBe(true);
  expect(await wait).toBe("251 ms of processor within 2505 ms");
});

test("it is not waited for when it is over, nor for ever when it gets no processor", async () => {
  const thread = new Thread();
  const isReady = ending(thread.time.until(() => thread.clock.nowMs() >= 100, 250));
  const isStarved = ending(thread.time.until(() => false, 250));
  await thread.pass(110, 0);
  expect([isReady(), isStarved()]).toEqual([true, false]);
  await thread.pass(29_800, 0);
  expect(isStarved()).toBe(false);
  await thread.pass(200, 0);
  expect(isStarved()).toBe(true);
});

test("one that has ended, of which nobody has heard yet, has not had what the others have since", async () => {
  const thread = new Thread();
  let isGone = false;
  const wait = thread.time.until(() => isGone, 250);
  thread.deadline = 0;
  await thread.pass(100, 1);
  expect(thread.time.isOverdue(100)).toBe(false);
  thread.ownMs = undefined;
  await thread.pass(4_000, 0);
  expect(thread.time.isOverdue(100)).toBe(false);
  isGone = true;
  await thread.pass(10, 0);
  expect(await wait).toMatch(/^1\d\d ms of processor within 4\d\d\d ms$/);
});

test("a thread is overdue when it has had the processor since, and again only after it was in time", async () => {
  const thread = new Thread();
  thread.deadline = 0;
  expect(thread.time.isOverdue(100)).toBe(false);
  await thread.pass(50, 0);
  expect(thread.time.isOverdue(100)).toBe(false);
  await thread.pass(900, 0.1);
  expect(thread.time.isOverdue(100)).toBe(false);
  await thread.pass(200, 0.1);
  expect(thread.time.isOverdue(100)).toBe(true);
  thread.deadline = Number.POSITIVE_INFINITY;
  expect(thread.time.isOverdue(100)).toBe(false);
  thread.deadline = thread.clock.nowMs() - 90;
  await thread.pass(20, 1);
  expect(thread.time.isOverdue(100)).toBe(false);
  await thread.pass(30_000, 0);
  expect(thread.time.isOverdue(100)).toBe(true);
});

test("a thread that ends what is over its time, one after the other, is not stuck, however long that takes", async () => {
  const thread = new Thread();
  await thread.pass(1_000, 0);
  for (thread.deadline = 0; thread.deadline < 20; thread.deadline++) {
    await thread.pass(60, 1);
    expect(thread.time.isOverdue(100)).toBe(false);
  }
  await thread.pass(60, 1);
  expect(thread.time.isOverdue(100)).toBe(false);
  await thread.pass(105, 1);
  expect(thread.time.isOverdue(100)).toBe(true);
});
