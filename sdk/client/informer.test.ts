import { expect, test } from "vitest";
import { ApiFault } from "../api/fault.ts";
import type { Pod } from "../api/core.ts";
import { nodes, pods } from "../api/resources.ts";
import { FakeClock } from "../internal/testing/clock.fake.ts";
import { seededRandom } from "../internal/testing/random.fake.ts";
import { FakeApi } from "./api-client.fake.ts";
import type { Selector } from "./client.ts";
import { type Informer, startInformer } from "./informer.ts";

const away = new ApiFault("ServiceUnavailable", "nobody there");

class World implements AsyncDisposable {
  readonly api = new FakeApi();
  readonly clock = new FakeClock();
  readonly stop = new AbortController();
  readonly seen: string[] = [];
  changes = 0;
  #informer: Informer<Pod> | undefined;

  start(selector: Selector = {}): Informer<Pod> {
    this.#informer = startInformer(this.api, pods, selector, {
      clock: this.clock,
      random: seededRandom(1),
      signal: this.stop.signal,
      onEvent: ({ type, object }) =>
        this.seen.push(`${type} ${object.metadata.name}@${object.metadata.resourceVersion}`),
      onChange: () => (this.changes += 1),
    });
    return this.#informer;
  }

  /** What was told since this was called last. */
  news(): string[] {
    return this.seen.splice(0);
  }

  pod(name: string, uid?: string): void {
    this.api.put("pods", { kind: "Pod", namespace: "default", name, ...(uid === undefined ? {} : { uid }) });
  }

  async settle(): Promise<void> {
    for (let turn = 0; turn < 5; turn++) await this.clock.advance(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop.abort(new Error("the test is over"));
    await this.#informer?.stopped;
  }
}

const names = (informer: Informer<Pod>): string[] => informer.items().map(({ metadata }) => metadata.name);

test("lists, then follows; finds by name; tells each difference", async () => {
  await using world = new World();
  world.pod("a");
  const informer = world.start();
  expect(informer.isSynced).toBe(false);
  await informer.synced;
  await world.settle();
  expect(world.news()).toEqual(["added a@1"]);
  world.pod("b");
  world.pod("a");
  world.api.remove("pods", "default", "b");
  await world.settle();
  expect(world.news()).toEqual(["added b@2", "updated a@3", "deleted b@4"]);
  expect(informer.get("default", "a")?.metadata.resourceVersion).toBe("3");
  expect(informer.get("other", "a")).toBeUndefined();
  expect(names(informer)).toEqual(["a"]);
});

test("says that it is synced even when there is nothing", async () => {
  await using world = new World();
  const informer = world.start();
  await informer.synced;
  await world.settle();
  expect([world.changes, informer.items()]).toEqual([1, []]);
});

test("a change is told once a turn, and the list stays the same until one comes", async () => {
  await using world = new World();
  for (let count = 0; count < 100; count++) world.pod(`p${count}`);
  const informer = world.start();
  await informer.synced;
  await world.settle();
  expect(world.changes).toBe(1);
  const items = informer.items();
  expect(informer.items()).toBe(items);
  for (let count = 0; count < 100; count++) world.pod(`q${count}`);
  await world.settle();
  expect(world.changes).toBeLessThanOrEqual(3);
  expect(world.changes).toBeGreaterThan(1);
  expect(informer.items()).toHaveLength(200);
});

test("a watch that ends is resumed: no list, nothing missed, nothing twice", async () => {
  await using world = new World();
  const informer = world.start();
  await informer.synced;
  await world.settle();
  world.pod("a");
  await world.settle();
  world.news();
  await world.clock.advance(10_000);
  world.api.endWatches("cleanly");
  world.pod("b");
  await world.settle();
  expect(world.news()).toEqual(["added b@2"]);
  expect(world.api.calls.filter((call) => call === "list pods")).toHaveLength(1);
});

test("a bookmark moves the place from which a watch is resumed", async () => {
  await using world = new World();
  const informer = world.start();
  await informer.synced;
  for (let count = 0; count < 5; count++) world.api.put("nodes", { kind: "Node", name: `n${count}` });
  await world.settle();
  world.api.expire();
  await world.clock.advance(10_000);
  world.api.endWatches("cleanly");
  await world.clock.advance(1_000);
  expect(world.api.calls.filter((call) => call === "list pods")).toHaveLength(1);
});

test("Expired is answered with a new list; what it lacks was deleted, what it has was changed or added", async () => {
  await using world = new World();
  for (const name of ["gone", "changed", "same", "reborn"]) world.pod(name);
  const informer = world.start();
  await informer.synced;
  await world.settle();
  world.news();
  world.api.away = away;
  world.api.endWatches("ServiceUnavailable");
  await world.settle();
  world.api.remove("pods", "default", "gone");
  world.pod("changed");
  world.pod("reborn", "another-uid");
  world.pod("new");
  world.api.expire();
  world.api.away = undefined;
  await world.clock.advance(1_000);
  expect(world.news()).toEqual([
    "deleted gone@1",
    "updated changed@6",
    "deleted reborn@4",
    "added reborn@7",
    "added new@8",
  ]);
  expect(names(informer).sort()).toEqual(["changed", "new", "reborn", "same"]);
});

test("while the server is away what is known stays, and it is asked ever more rarely", async () => {
  await using world = new World();
  world.pod("a");
  const informer = world.start();
  await informer.synced;
  await world.settle();
  world.news();
  world.api.away = away;
  world.api.endWatches("ServiceUnavailable");
  const before = world.api.calls.length;
  await world.clock.advance(60_000);
  const asked = world.api.calls.length - before;
  expect(asked).toBeGreaterThan(8);
  expect(asked).toBeLessThan(25);
  expect(names(informer)).toEqual(["a"]);
  expect(world.news()).toEqual([]);
  world.api.away = undefined;
  world.pod("b");
  await world.clock.advance(10_000);
  expect(world.news()).toEqual(["added b@2"]);
  // Resumed where it was: a thousand nodes that come back do not ask for everything again.
  expect(world.api.calls.filter((call) => call === "list pods")).toHaveLength(1);
});

test("a server that is away at the start is waited for", async () => {
  await using world = new World();
  world.api.failNext("ServiceUnavailable", 3);
  world.pod("a");
  const informer = world.start();
  await world.clock.advance(5_000);
  expect(informer.isSynced).toBe(true);
  expect(names(informer)).toEqual(["a"]);
});

test.each(["InternalError", "Timeout", "Expired"] as const)(
  "after %s it lists anew, and not in a hot loop",
  async (code) => {
    await using world = new World();
    const informer = world.start();
    await informer.synced;
    await world.settle();
    for (let round = 0; round < 5; round++) {
      world.api.endWatches(code);
      await world.clock.advance(20);
    }
    const calls = world.api.calls.filter((call) => call === "list pods").length;
    expect(calls).toBeLessThanOrEqual(2);
    await world.clock.advance(10_000);
    world.pod("a");
    await world.settle();
    expect(names(informer)).toEqual(["a"]);
    expect(world.api.calls.filter((call) => call === "list pods").length).toBeGreaterThanOrEqual(2);
  },
);

test("only the namespace that was asked for", async () => {
  await using world = new World();
  world.api.put("pods", { kind: "Pod", namespace: "other", name: "x" });
  const informer = world.start({ namespace: "default" });
  await informer.synced;
  world.api.put("pods", { kind: "Pod", namespace: "other", name: "y" });
  world.pod("a");
  await world.settle();
  expect(names(informer)).toEqual(["a"]);
});

test("an informer that is stopped before it was synced says so; afterwards nothing is told", async () => {
  await using world = new World();
  world.api.away = away;
  const informer = world.start();
  await world.settle();
  world.stop.abort(new Error("enough"));
  await expect(informer.synced).rejects.toThrow("enough");
  await informer.stopped;
  world.api.away = undefined;
  world.pod("a");
  await world.clock.advance(60_000);
  expect([world.seen, world.changes]).toEqual([[], 0]);
});

test("kinds without namespaces are found by name alone", async () => {
  const api = new FakeApi();
  const stop = new AbortController();
  api.put("nodes", { kind: "Node", name: "n1" });
  const informer = startInformer(api, nodes, {}, { signal: stop.signal, clock: new FakeClock() });
  await informer.synced;
  expect(informer.get(undefined, "n1")?.kind).toBe("Node");
  stop.abort();
  await informer.stopped;
});
