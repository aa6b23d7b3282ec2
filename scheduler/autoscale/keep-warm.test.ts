import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { idleMinutesMax, IdleTimes, minuteMs } from "./idle-times.ts";
import { hybridHistogram, keepWhileWorth, type WarmPlan, warmSpanAt } from "./keep-warm.ts";

const dayMs = 24 * 60 * minuteMs;

function idleFor(...minutes: readonly number[]): IdleTimes {
  const idle = new IdleTimes();
  for (const minute of minutes) idle.record(minute * minuteMs, dayMs);
  return idle;
}

const times = (count: number, minute: number): number[] => Array.from({ length: count }, () => minute);
const minutesOf = (plan: WarmPlan): number[][] => plan.map(({ fromMs, toMs }) => [fromMs / minuteMs, toMs / minuteMs]);

describe("IdleTimes", () => {
  test("counts by the minute, and what is longer than four hours as that", () => {
    const idle = idleFor(0.5, 0.9, 59.99, 60, 1000, 5000);
    expect([0, 59, 60, idleMinutesMax].map((minute) => idle.weight(minute))).toEqual([2, 1, 1, 2]);
    expect(idle.total).toBe(6);
  });

  test("forgets half within half a week, and not when the wall clock is set back", () => {
    const idle = idleFor(...times(8, 10));
    idle.record(20 * minuteMs, dayMs + 3.5 * dayMs);
    expect(idle.weight(10)).toBeCloseTo(4);
    expect(idle.weight(20)).toBe(1);
    idle.record(20 * minuteMs, 0);
    expect(idle.weight(20)).toBe(2);
  });

  test("is the same after it was kept, and takes nothing from data that does not fit", () => {
    const idle = idleFor(...times(5, 3), 500);
    const kept = IdleTimes.of(structuredClone(idle.toJSON()));
    expect(kept.toJSON()).toEqual(idle.toJSON());
    const odd = IdleTimes.of({
      atMs: 1,
      weights: [
        [-1, 5],
        [9999, 5],
        [1.5, 5],
        [3, Number.NaN],
        [4, -2],
        [5, 1],
      ],
    });
    expect(odd.toJSON().weights).toEqual([[5, 1]]);
  });
});

describe("the hybrid histogram", () => {
  test("keeps a pod for the whole range while it knows nothing, or nothing that stands out", () => {
    expect(minutesOf(hybridHistogram(idleFor(60)))).toEqual([[0, idleMinutesMax]]);
    const even = idleFor(...Array.from({ length: 240 }, (_none, minute) => minute));
    expect(minutesOf(hybridHistogram(even))).toEqual([[0, idleMinutesMax]]);
    expect(minutesOf(hybridHistogram(idleFor(...times(20, 300))))).toEqual([[0, idleMinutesMax]]);
  });

  test("comes back a tenth ahead of the 5th percentile, and stays a tenth longer than the 99th", () => {
    expect(minutesOf(hybridHistogram(idleFor(...times(50, 60))))).toEqual([[54, 68]]);
    expect(minutesOf(hybridHistogram(idleFor(...times(50, 0))))).toEqual([[0, 2]]);
  });
});

describe("a pod is kept while that costs less than it saves", () => {
  const policy = keepWhileWorth(15 * minuteMs);

  test("nothing known: the first minutes, as most idle times are short", () => {
    expect(minutesOf(policy(new IdleTimes()))).toEqual([[0, 5]]);
  });

  test("called each hour: a few minutes around it, and none of the hour", () => {
    const [span, ...more] = policy(idleFor(...times(24, 60)));
    expect(more).toEqual([]);
    expect(span?.fromMs).toBe(59 * minuteMs - 10_000);
    expect(span?.toMs).toBe(62 * minuteMs);
    expect(span?.why).toBe(
      "idle for 59 to 62 minutes: up to 96 % chance of a request in the next minute, and a cold start is worth 15 minutes of a warm pod",
    );
  });

  test("called every few minutes: as long as one is likely, and no longer", () => {
    const idle = idleFor(...times(20, 3), ...times(20, 5), ...times(10, 8));
    const [span, ...more] = policy(idle);
    expect(span?.fromMs).toBe(0);
    expect(span?.toMs).toBe(10 * minuteMs);
    expect(more).toEqual([]);
  });

  test("called once a day: nothing is kept", () => {
    expect(policy(idleFor(...times(30, 1440)))).toEqual([]);
  });

  test("worth nothing: nothing is kept, whatever is known", () => {
    expect(keepWhileWorth(0)(idleFor(...times(30, 5)))).toEqual([]);
  });

  test("plans are in order, apart, within the range; a dearer start keeps no less", () => {
    const anyIdle = fc.array(fc.double({ min: 0, max: 400, noNaN: true }), { maxLength: 60 });
    fc.assert(
      fc.property(anyIdle, fc.integer({ min: 1, max: 60 }), (minutes, worth) => {
        const idle = idleFor(...minutes);
        const plan = keepWhileWorth(worth * minuteMs)(idle);
        for (const [index, { fromMs, toMs }] of plan.entries()) {
          expect(fromMs).toBeLessThan(toMs);
          expect(fromMs).toBeGreaterThanOrEqual(index === 0 ? 0 : (plan[index - 1]?.toMs ?? 0));
          expect(toMs).toBeLessThanOrEqual(idleMinutesMax * minuteMs);
        }
        const dearer = keepWhileWorth(2 * worth * minuteMs)(idle);
        for (const { fromMs, toMs } of plan) {
          expect(warmSpanAt(dearer, fromMs)).toBeDefined();
          expect(warmSpanAt(dearer, toMs - 1)).toBeDefined();
        }
      }),
    );
  });

  test("against every other plan of one span: none costs less on the idle times that it knows", () => {
    // Enough of them that the prior hardly matters, and no neighbours that lend.
    const idle = idleFor(...times(400, 10), ...times(400, 30), ...times(200, 90));
    const cost = (plan: WarmPlan): number =>
      [10.5, 30.5, 90.5].reduce((sum, end, index) => {
        const share = [0.4, 0.4, 0.2][index] ?? 0;
        const waited = plan.reduce(
          (ms, { fromMs, toMs }) => ms + Math.max(0, Math.min(toMs, end * minuteMs) - fromMs),
          0,
        );
        const cold = warmSpanAt(plan, end * minuteMs) === undefined ? 15 * minuteMs : 0;
        return sum + share * (waited + cold);
      }, 0);
    const ours = cost(policy(idle));
    for (let from = 0; from <= 100; from += 1) {
      for (let to = from; to <= 100; to += 1) {
        const other = cost([{ fromMs: from * minuteMs, toMs: to * minuteMs, why: "" }]);
        expect(ours).toBeLessThanOrEqual(other + 1.5 * minuteMs);
      }
    }
  });
});
