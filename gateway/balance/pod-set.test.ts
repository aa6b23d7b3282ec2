import { FakeClock, seededRandom } from "@shallop/sdk/internal/testing";
import { beforeEach, describe, expect, test } from "vitest";
import type { PodTarget, WatchedPod } from "../route/target.ts";
import { PodSet, type PodSlot, unlimitedSlots } from "./pod-set.ts";

const target = (uid: string): PodTarget => ({
  uid,
  namespace: "default",
  name: uid,
  revision: "default/r",
  node: "n1",
  endpoint: { protocol: "wire", socket: `/run/${uid}` },
});
const watched = (uid: string, more: Partial<WatchedPod> = {}): WatchedPod => ({
  uid,
  revision: "default/r",
  target: target(uid),
  ready: true,
  ending: false,
  ...more,
});

let clock: FakeClock;
let available: number;
let gone: string[];
let pods: PodSet;
beforeEach(() => {
  clock = new FakeClock();
  available = 0;
  gone = [];
  pods = new PodSet({ clock, random: seededRandom(1), available: () => available++, gone: (uid) => gone.push(uid) });
});

const take = (): PodSlot => pods.take()!;

describe("which pods are usable", () => {
  test("an activated one at once, and still while the watch shows it not ready yet", () => {
    pods.activated(target("a"), true);
    expect([pods.usable, available]).toEqual([1, 1]);
    pods.watched(watched("a", { ready: false }));
    expect(pods.usable).toBe(1);
  });

  test("once the watch has said Ready, the watch is believed", () => {
    pods.activated(target("a"), true);
    pods.watched(watched("a"));
    pods.watched(watched("a", { ready: false }));
    expect(pods.usable).toBe(0);
    pods.watched(watched("a"));
    expect(pods.usable).toBe(1);
  });

  test("not one that is not ready, without an endpoint, ending, or draining", () => {
    pods.watched(watched("a", { ready: false }));
    pods.watched(watched("b", { target: undefined }));
    pods.watched(watched("c", { ending: true }));
    expect([pods.usable, pods.size]).toEqual([0, 0]);
    pods.watched(watched("d"));
    pods.drain("d");
    expect([pods.usable, pods.size]).toEqual([0, 1]);
    expect(pods.take()).toBeUndefined();
  });

  test("one that is gone is told of once, and its requests may still end", () => {
    pods.watched(watched("a"));
    const slot = take();
    pods.watched(watched("a", { ending: true }));
    pods.gone("a");
    expect([pods.size, gone]).toEqual([0, ["a"]]);
    pods.give(slot);
    expect(slot.outstanding).toBe(0);
  });
});

describe("slots", () => {
  test("as many as the revision's concurrency, on each pod", () => {
    pods.limit(2);
    pods.watched(watched("a"));
    pods.watched(watched("b"));
    const taken = [take(), take(), take(), take()];
    expect(taken.map(({ target }) => target.uid).sort()).toEqual(["a", "a", "b", "b"]);
    expect(pods.take()).toBeUndefined();
    pods.give(taken[0]!);
    expect(pods.take()?.target.uid).toBe(taken[0]!.target.uid);
  });

  test("many, but not without end, when the revision sets no limit", () => {
    pods.watched(watched("a"));
    for (let count = 0; count < unlimitedSlots; count++) take();
    expect(pods.take()).toBeUndefined();
    pods.limit(1);
    pods.limit(0);
    expect(available).toBeGreaterThan(1);
  });

  test("a slot is given back once", () => {
    pods.watched(watched("a"));
    const slot = take();
    pods.give(slot);
    expect(() => pods.give(slot)).toThrow("once");
  });
});

describe("a pod that cannot be reached", () => {
  test("is set aside for 100 ms, 200 ms … at most a second, and tried again", async () => {
    pods.watched(watched("a"));
    const lengthsMs: number[] = [];
    for (let round = 0; round < 6; round++) {
      pods.setAside(take());
      let lengthMs = 0;
      while (pods.usable === 0) {
        await clock.advance(50);
        lengthMs += 50;
      }
      lengthsMs.push(lengthMs);
    }
    expect(lengthsMs).toEqual([100, 200, 400, 800, 1000, 1000]);
  });

  test("is well again after an answer", async () => {
    pods.watched(watched("a"));
    for (let round = 0; round < 3; round++) {
      pods.setAside(take());
      await clock.advance(1000);
    }
    pods.succeeded(take());
    pods.setAside(take());
    await clock.advance(100);
    expect(pods.usable).toBe(1);
  });

  test("leaves the others in use", () => {
    pods.watched(watched("a"));
    pods.watched(watched("b"));
    const slot = take();
    pods.setAside(slot);
    for (let round = 0; round < 10; round++) expect(take().target.uid).not.toBe(slot.target.uid);
  });

  test("stays aside when its node says that it runs, unless it has just started it", () => {
    pods.activated(target("a"), true);
    pods.setAside(take());
    pods.activated(target("a"), false);
    expect(pods.usable).toBe(0);
    pods.activated(target("a"), true);
    expect(pods.usable).toBe(1);
  });

  test("is forgotten when nobody but an activation has ever spoken of it", async () => {
    pods.activated(target("a"), true);
    for (let round = 0; round < 3; round++) {
      pods.setAside(take());
      await clock.advance(1000);
    }
    expect([pods.size, gone]).toEqual([0, ["a"]]);
  });

  test("is forgiven when the watch shows it ready again", () => {
    pods.watched(watched("a"));
    pods.setAside(take());
    pods.watched(watched("a", { ready: false }));
    pods.watched(watched("a"));
    expect(pods.usable).toBe(1);
  });
});
