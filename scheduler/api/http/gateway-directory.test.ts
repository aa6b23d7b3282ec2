import { expect, test } from "vitest";
import { GatewayDirectory } from "./gateway-directory.ts";

test("a gateway lives while it reports, until it says that it leaves", () => {
  const directory = new GatewayDirectory();
  const report = (gateway: string, nowMs: number, more: { peerAddress?: string; isLeaving?: boolean } = {}) =>
    directory.report({ gateway, revisions: [], ...more }, nowMs).map(({ name, peerAddress }) => [name, peerAddress]);
  expect(report("a", 0, { peerAddress: "10.0.0.1:7" })).toEqual([["a", "10.0.0.1:7"]]);
  expect(report("b", 1_000)).toEqual([
    ["a", "10.0.0.1:7"],
    ["b", undefined],
  ]);
  expect(report("b", 10_500)).toEqual([["b", undefined]]);
  expect(report("a", 11_000)).toEqual([
    ["b", undefined],
    ["a", undefined],
  ]);
  expect(report("b", 11_001, { isLeaving: true })).toEqual([["a", undefined]]);
});

test("a loop that makes names is bounded", () => {
  const directory = new GatewayDirectory();
  for (let index = 0; index < 2_000; index++) directory.report({ gateway: `g${index}`, revisions: [] }, 0);
  const live = directory.report({ gateway: "last", revisions: [] }, 1);
  expect([live.length, live.at(-1)?.name]).toEqual([1_000, "last"]);
});
