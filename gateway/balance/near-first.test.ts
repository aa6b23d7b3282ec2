import { describe, expect, test } from "vitest";
import { byDistance, type Distance, nearFirst } from "./near-first.ts";

const pod = (distance: Distance, outstanding: number, slots = 10) => ({ distance, outstanding, slots });
const choose = (...pods: readonly ReturnType<typeof pod>[]): readonly Distance[] =>
  nearFirst(byDistance(pods), pods).map(({ distance }) => distance);

describe("the nearest pods come first", () => {
  test.each([
    {
      name: "this node before the zone, the zone before elsewhere",
      pods: [pod(2, 0), pod(1, 0), pod(0, 0)],
      near: [0],
    },
    { name: "the zone when this node has none", pods: [pod(2, 0), pod(1, 1), pod(1, 0)], near: [1, 1] },
    { name: "not when it is full", pods: [pod(0, 10, 10), pod(2, 9)], near: [2] },
    { name: "a little busier is no reason to go far", pods: [pod(0, 3), pod(2, 0)], near: [0] },
    { name: "much busier is", pods: [pod(0, 8), pod(2, 0), pod(2, 0), pod(2, 0)], near: [2, 2, 2] },
    { name: "all alike: all", pods: [pod(2, 5), pod(2, 0)], near: [2, 2] },
    { name: "none", pods: [], near: [] },
  ])("$name", ({ pods, near }) => {
    expect(choose(...pods)).toEqual(near);
  });
});
