import { FakeClock } from "@shallop/sdk/internal/testing";
import { expect, test } from "vitest";
import type { Dispatcher } from "../activate/dispatcher.ts";
import { defaultLimits } from "../limits.ts";
import type { ClientBody } from "./client-body.ts";
import { Deadline } from "./deadline.ts";
import { ExchangeStory } from "./exchange-story.ts";

/** How long a request waits for a pod that never comes. */
async function waited(target: { readonly timeoutMs: number; readonly waitMs?: number }): Promise<number> {
  const clock = new FakeClock();
  const startMs = clock.nowMs();
  const { timeoutMs, waitMs } = target;
  const hold = { sheds: "newest", ...(waitMs === undefined ? {} : { waitMs }) };
  // A dispatcher and a body have more than is looked at here.
  const dispatcher = { target: { timeoutMs, hold }, usablePods: 0 } as unknown as Dispatcher;
  const body = { lastReadMs: undefined } as unknown as ClientBody;
  let expiredMs = Number.POSITIVE_INFINITY;
  const expired = (_code: string, nowMs: number): void => void (expiredMs = nowMs - startMs);
  const story = new ExchangeStory(startMs);
  const deadline = new Deadline(
    { hasPod: false, answerStatus: undefined, unreadSinceMs: undefined, expired },
    { clock, limits: defaultLimits, dispatcher, story, body, rules: undefined },
  );
  deadline.arm(startMs);
  await clock.advance(700_000);
  return expiredMs;
}

test.each([
  ["a minute", { timeoutMs: 300_000 }, 60_000],
  ["as long as its revision says", { timeoutMs: 300_000, waitMs: 2_000 }, 2_000],
  ["longer than a minute where its revision says so", { timeoutMs: 300_000, waitMs: 120_000 }, 120_000],
  ["never longer than it may last", { timeoutMs: 30_000, waitMs: 120_000 }, 30_000],
])("a request waits for a pod %s", async (_what, target, waitMs) => {
  expect(await waited(target)).toBe(waitMs);
});
