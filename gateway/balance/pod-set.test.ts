import { FakeClock, seededRandom } from "@shallop/sdk/internal/testing";
import { beforeEach, describe, expect, test } from "vitest";
import { stickyToken } from "../route/backends.ts";
import type { PodTarget, WatchedPod } from "../route/target.ts";
import { PodSet, type PodSlot, unlimitedSlots } from "./pod-set.ts";

const target = (uid: string, name = uid): PodTarget => ({
  uid,
  namespace: "default",
  name,
  revision: "default/r",
  node: "n1",
  endpoint: { protocol: "wire", socket: `/run/${uid}` },
});
const watched = (uid: string, more: Partial<WatchedPod> = {}): WatchedPod => ({
  uid,
  namespace: "default",
  labels: {},
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
  pods = new PodSet({
    clock,
    random: seededRandom(1),
    available: () => available++,
    gone: (uid) => gone.push(uid),
    distance: (node) => (node === "near" ? 0 : 2),
  });
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
    pods.follow({ concurrencyMax: 2, balance: {} });
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
    pods.follow({ concurrencyMax: 1, balance: {} });
    pods.follow({ concurrencyMax: 0, balance: {} });
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

// A node gives a pod that it activates a uid of its own; the API gives it another when it is recorded. The name is one.
describe("a pod that has two uids", () => {
  const ofNode = target("node-uid", "p");
  const ofApi = target("api-uid", "p");
  const activate = (): void => pods.activated(ofNode, true);
  const watch = (more: Partial<WatchedPod> = {}): void => pods.watched(watched("api-uid", { target: ofApi, ...more }));

  const cases: { name: string; does: () => void; uid: string | undefined; gone: string[] }[] = [
    { name: "activated", does: activate, uid: "node-uid", gone: [] },
    { name: "activated, then watched", does: () => (activate(), watch()), uid: "api-uid", gone: ["node-uid"] },
    {
      name: "activated, then watched before it is ready",
      does: () => (activate(), watch({ ready: false })),
      uid: "api-uid",
      gone: ["node-uid"],
    },
    {
      name: "activated, then watched without an address",
      does: () => (activate(), watch({ target: undefined, ready: false })),
      uid: "node-uid",
      gone: [],
    },
    { name: "watched, then activated", does: () => (watch(), activate()), uid: "api-uid", gone: [] },
    {
      name: "watched while it is not ready, then activated",
      does: () => (watch({ ready: false }), activate()),
      uid: "node-uid",
      gone: [],
    },
    {
      name: "activated, watched before it is ready, activated again",
      does: () => (activate(), watch({ ready: false }), activate()),
      uid: "api-uid",
      gone: ["node-uid"],
    },
    {
      name: "activated, activated again under the uid of the API",
      does: () => (activate(), pods.activated(ofApi, false)),
      uid: "node-uid",
      gone: [],
    },
    {
      name: "activated, watched, activated again, watched again",
      does: () => (activate(), watch(), activate(), watch()),
      uid: "api-uid",
      gone: ["node-uid"],
    },
  ];
  test.each(cases)("$name: one pod", ({ does, uid, gone: told }) => {
    does();
    expect([pods.size, pods.usable, pods.take()?.target.uid, gone]).toEqual([1, 1, uid, told]);
  });

  test("is gone under the uid of the API, after which neither uid is known", () => {
    activate();
    watch();
    watch({ ending: true });
    expect([pods.size, pods.usable, gone]).toEqual([0, 0, ["node-uid", "api-uid"]]);
    pods.gone("node-uid");
    pods.gone("api-uid");
    expect(gone).toEqual(["node-uid", "api-uid"]);
  });

  test("asks for no more requests under the uid that it has now", () => {
    activate();
    watch();
    pods.drain("node-uid");
    expect(pods.usable).toBe(1);
    pods.drain("api-uid");
    expect(pods.usable).toBe(0);
  });

  test("is renamed as often as the API renames it", () => {
    activate();
    watch();
    pods.watched(watched("later-uid", { target: target("later-uid", "p") }));
    expect([pods.size, take().target.uid, gone]).toEqual([1, "later-uid", ["node-uid", "api-uid"]]);
  });

  test("keeps the slots that are in use, and its limit", () => {
    pods.follow({ concurrencyMax: 2, balance: {} });
    activate();
    const before = take();
    watch();
    const after = take();
    expect([after.target.uid, after.outstanding, pods.take()]).toEqual(["api-uid", 2, undefined]);
    // The slot that was taken under the old uid is a slot of the pod that it is now.
    pods.give(before);
    expect(after.outstanding).toBe(1);
    expect(take()).toBe(after);
  });

  test("stays set aside under its new uid, and comes back at the same time", async () => {
    activate();
    pods.setAside(take());
    watch({ ready: false });
    await clock.advance(99);
    expect(pods.usable).toBe(0);
    await clock.advance(1);
    expect([pods.usable, take().target.uid]).toEqual([1, "api-uid"]);
  });

  test("is reached where the API says, once it says it", () => {
    activate();
    const slot = take();
    watch();
    expect(slot.target.endpoint).toEqual(ofApi.endpoint);
  });
});

describe("a name that is given to another pod", () => {
  test("after the first has gone: a pod of its own, with no slot in use", () => {
    pods.follow({ concurrencyMax: 1, balance: {} });
    pods.watched(watched("first", { target: target("first", "p") }));
    const slot = take();
    pods.watched(watched("first", { target: target("first", "p"), ending: true }));
    pods.watched(watched("second", { target: target("second", "p") }));
    const next = take();
    expect([pods.size, next.target.uid, next.outstanding]).toEqual([1, "second", 1]);
    pods.give(slot);
    expect(next.outstanding).toBe(1);
    pods.gone("first");
    expect([pods.size, gone]).toEqual([1, ["first"]]);
  });

  test("before the first is shown gone: one pod, the second; the late word of the first changes nothing", () => {
    pods.watched(watched("first", { target: target("first", "p") }));
    pods.watched(watched("second", { target: target("second", "p") }));
    pods.gone("first");
    expect([pods.size, take().target.uid, gone]).toEqual([1, "second", ["first"]]);
  });

  test("another name is another pod", () => {
    pods.activated(target("node-uid", "p"), true);
    pods.watched(watched("api-uid", { target: target("api-uid", "q") }));
    expect([pods.size, pods.usable, gone]).toEqual([2, 2, []]);
  });
});

describe("how one is picked", () => {
  const unlimited = { concurrencyMax: 0, balance: {} };
  const nameOf = (slot: PodSlot | undefined): string | undefined => slot?.target.name;

  test("one on this machine before one elsewhere, until it is much busier", () => {
    pods.watched(watched("far"));
    pods.watched(watched("near", { target: { ...target("near"), node: "near" } }));
    const names = Array.from({ length: 40 }, () => nameOf(take()));
    expect(new Set(names.slice(0, 3))).toEqual(new Set([target("near").name]));
    expect(names).toContain(target("far").name);
  });

  test("a native pod that becomes ready gets more and more, and its full share after ten seconds", async () => {
    const native = (uid: string) => ({
      ...target(uid),
      endpoint: { protocol: "http1", host: "10.0.0.1", port: 80 } as const,
    });
    pods.follow(unlimited);
    pods.watched(watched("old", { target: native("old") }));
    await clock.advance(20_000);
    pods.watched(watched("new", { target: native("new") }));
    const shareOfNew = (): number => {
      const slots = Array.from({ length: 110 }, () => take());
      for (const slot of slots) pods.give(slot);
      return slots.filter((slot) => nameOf(slot) === target("new").name).length;
    };
    expect(shareOfNew()).toBeLessThan(15);
    await clock.advance(5_000);
    expect(shareOfNew()).toBeGreaterThan(25);
    await clock.advance(5_000);
    expect(shareOfNew()).toBeGreaterThan(50);
  });

  test("a Wasm pod at once, unless its revision says otherwise", async () => {
    pods.watched(watched("old"));
    await clock.advance(20_000);
    pods.watched(watched("new"));
    const slots = Array.from({ length: 20 }, () => take());
    expect(slots.filter((slot) => nameOf(slot) === target("new").name)).toHaveLength(10);
    for (const slot of slots) pods.give(slot);
    pods.follow({ concurrencyMax: 0, balance: { slowStartMs: 60_000 } });
    pods.watched(watched("newest"));
    const later = Array.from({ length: 21 }, () => take());
    expect(later.filter((slot) => nameOf(slot) === target("newest").name).length).toBeLessThan(3);
  });

  test("requests that belong together go to one pod", () => {
    for (const uid of ["a", "b", "c"]) pods.watched(watched(uid));
    pods.follow({ concurrencyMax: 0, balance: { hashBy: "client" } });
    const names = Array.from({ length: 20 }, () => {
      const slot = pods.take({ affinity: "10.1.2.3" })!;
      pods.give(slot);
      return nameOf(slot);
    });
    expect(new Set(names).size).toBe(1);
  });
});

test("who had a pod has it again, while it may be given requests and has room", () => {
  pods.follow({ concurrencyMax: 1, balance: {} });
  for (const uid of ["a", "b", "c"]) pods.watched(watched(uid));
  const first = take();
  const seat = stickyToken(first.target.name);
  // It has no room; any other will do then.
  expect(pods.take({ seat })?.target.name).not.toBe(first.target.name);
  pods.give(first);
  expect(pods.take({ seat })?.target.name).toBe(first.target.name);
  pods.give(first);
  pods.gone(first.target.uid);
  expect(pods.take({ seat })?.target.name).not.toBe(first.target.name);
});
