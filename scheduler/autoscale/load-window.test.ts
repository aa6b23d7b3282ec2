import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LoadWindow } from "./load-window.ts";

/** Records `[second, value]` pairs into a window of so many seconds. */
function windowOf(sizeSeconds: number, records: readonly (readonly [number, number])[]): LoadWindow {
  const window = new LoadWindow(sizeSeconds * 1000);
  for (const [second, value] of records) window.record(second * 1000, value);
  return window;
}

describe("linear average", () => {
  const cases: { name: string; size: number; records: [number, number][]; at: number; average: number }[] = [
    { name: "nothing recorded", size: 60, records: [], at: 5, average: 0 },
    {
      name: "a part of the window averages over what exists",
      size: 60,
      records: [
        [0, 10],
        [1, 20],
        [2, 30],
      ],
      at: 2,
      average: 20,
    },
    {
      name: "a full window",
      size: 3,
      records: [
        [0, 10],
        [1, 20],
        [2, 30],
      ],
      at: 2,
      average: 20,
    },
    {
      name: "what is older than the window falls out",
      size: 3,
      records: [
        [0, 10],
        [1, 20],
        [2, 30],
        [3, 40],
      ],
      at: 3,
      average: 30,
    },
    {
      name: "a gap counts as zeros once it is over",
      size: 60,
      records: [
        [0, 30],
        [3, 30],
      ],
      at: 3,
      average: 15,
    },
    {
      name: "a gap that goes on shortens the window",
      size: 4,
      records: [
        [0, 10],
        [1, 10],
        [2, 40],
        [3, 40],
      ],
      at: 5,
      average: 40,
    },
    {
      name: "silence of a whole window",
      size: 4,
      records: [
        [0, 10],
        [3, 10],
      ],
      at: 7,
      average: 0,
    },
    {
      name: "after it the average begins anew",
      size: 4,
      records: [
        [0, 100],
        [9, 10],
      ],
      at: 9,
      average: 10,
    },
    {
      name: "the later record of a second counts",
      size: 4,
      records: [
        [0, 100],
        [0.9, 50],
      ],
      at: 0.9,
      average: 50,
    },
    {
      name: "cut after six digits",
      size: 3,
      records: [
        [0, 1],
        [1, 0],
        [2, 0],
      ],
      at: 2,
      average: 0.333333,
    },
    {
      name: "the clock's zero is arbitrary",
      size: 3,
      records: [
        [1e6, 6],
        [1e6 + 1, 0],
      ],
      at: 1e6 + 1,
      average: 3,
    },
  ];
  test.each(cases)("$name", ({ size, records, at, average }) => {
    expect(windowOf(size, records).average(at * 1000)).toBe(average);
  });

  test("it is empty before the first record and a window after the last", () => {
    const window = windowOf(6, [[10, 1]]);
    expect(new LoadWindow(6000).isEmpty(0)).toBe(true);
    expect(window.isEmpty(16_000)).toBe(false);
    expect(window.isEmpty(17_000)).toBe(true);
  });

  test("it is the mean of the last seconds, whatever was before", () => {
    const values = fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(values, fc.integer({ min: 1, max: 60 }), (all, size) => {
        const window = windowOf(
          size,
          all.map((value, second) => [second, value] as const),
        );
        const last = all.slice(-size);
        const mean = last.reduce((sum, value) => sum + value, 0) / last.length;
        expect(window.average((all.length - 1) * 1000)).toBeCloseTo(mean, 5);
      }),
    );
  });
});

describe("exponentially weighted average", () => {
  test("by hand: a window of six seconds has the coefficient 1 − 0.0001^(1/6)", () => {
    const c = 1 - 0.0001 ** (1 / 6);
    const window = windowOf(6, [
      [0, 10],
      [1, 10],
      [2, 5],
      [3, 5],
    ]);
    const expected = 5 * c + 5 * c * (1 - c) + 10 * c * (1 - c) ** 2 + 10 * c * (1 - c) ** 3;
    expect(window.weightedAverage(3000)).toBeCloseTo(expected, 9);
    // A second of silence makes everything a second older.
    expect(window.weightedAverage(4000)).toBeCloseTo(expected * (1 - c), 9);
    expect(window.weightedAverage(9000)).toBe(0);
  });

  test("a steady load is nearly itself once the window is full", () => {
    const window = windowOf(
      60,
      Array.from({ length: 60 }, (_, second) => [second, 40] as const),
    );
    expect(window.weightedAverage(59_000)).toBeCloseTo(40, 1);
  });
});
