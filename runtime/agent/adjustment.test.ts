import { annotation } from "@shallop/sdk/api";
import { expect, test } from "vitest";
import { adjustmentNotes, adjustmentOf, isOfNetworks, withAdjustable } from "./adjustment.ts";
import type { PodManifest } from "./manifest.ts";

const manifest = (networks?: string): PodManifest => ({
  ...{ namespace: "ns", name: "pod", labels: {}, ownerReferences: [], spec: { containers: [{ image: "i" }] } },
  annotations: { note: "n", ...(networks === undefined ? {} : { [annotation.networks]: networks }) },
});

test("networks of a pod may be others while it runs: told, and kept in what is remembered of it", () => {
  const [before, now] = [manifest(), manifest('{"back":["DB"]}')];
  expect(adjustmentOf(now).networks).toEqual([{ network: "ns/back", names: ["db"] }]);
  expect(adjustmentNotes(adjustmentOf(before), adjustmentOf(now))).toEqual([
    { type: "Normal", reason: "NetworksChanged", message: "the pod is in the networks ns/back" },
  ]);
  expect(withAdjustable(before, now)).toEqual(now);
  expect(withAdjustable(now, before)).toEqual(before);
});

test("a component's networks may be others, and nothing else of it", () => {
  const [before, now] = [manifest(), manifest('{"back":["db"]}')].map(adjustmentOf);
  if (before === undefined || now === undefined) throw new Error("two were made");
  expect(isOfNetworks(before, now)).toBe(true);
  expect(isOfNetworks(before, { ...now, paused: true })).toBe(false);
});

test("a pod may have more or fewer processes while it runs", () => {
  const before = manifest();
  const now = { ...before, annotations: { ...before.annotations, [annotation.process]: '{"pids":50}' } };
  expect(adjustmentOf(now).limits).toMatchObject([{ pidsMax: 50 }]);
  expect(adjustmentNotes(adjustmentOf(before), adjustmentOf(now))).toMatchObject([{ reason: "ResizeCompleted" }]);
  expect(withAdjustable(before, now)).toEqual(now);
});

test("what a pod that runs says wrongly of its networks is as if it said nothing", () => {
  expect(adjustmentOf(manifest("{")).networks).toEqual([]);
});

test("so may its shares", () => {
  const before = manifest();
  const now = { ...before, annotations: { ...before.annotations, [annotation.cpuShares]: "512" } };
  expect(adjustmentOf(now).shares).toEqual({ cpuShares: 512 });
  expect(adjustmentNotes(adjustmentOf(before), adjustmentOf(now))).toMatchObject([{ reason: "SharesChanged" }]);
  expect(withAdjustable(before, now)).toEqual(now);
  expect(adjustmentOf({ ...before, annotations: { [annotation.cpuShares]: "much" } }).shares).toEqual({});
});
