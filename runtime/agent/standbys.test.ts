import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import type { Activation } from "@shallop/sdk/wire";
import { annotation, pods } from "@shallop/sdk/api";
import { expect, test } from "vitest";
import { FakeWorld } from "./world.fake.ts";

const directory = (world: FakeWorld): string => path.join(world.directory, "standby");
const files = async (world: FakeWorld): Promise<readonly string[]> => (await readdir(directory(world))).sort();
const answers = async (world: FakeWorld): Promise<readonly Activation[]> =>
  Promise.all(
    (await files(world)).map(
      async (file) => JSON.parse(await readFile(path.join(directory(world), file), "utf8")) as Activation,
    ),
  );

/** A node that is the home of a revision at zero, with threads that rest. */
async function atZero(world: FakeWorld): Promise<Activation> {
  world.revision();
  await world.start();
  world.runtime.standbyNamespaces.add("default");
  world.agent.wake();
  await eventually(world, async () => (await files(world)).length === 1);
  const [answer] = await answers(world);
  if (answer === undefined) throw new Error("there is one file");
  return answer;
}

async function eventually(world: FakeWorld, isTrue: () => Promise<boolean>): Promise<void> {
  await expect
    .poll(async () => {
      await world.clock.advance(10);
      return isTrue();
    })
    .toBe(true);
}

test("a revision at zero stands by, and whoever connects has a pod of which the API hears afterwards", async () => {
  await using world = await FakeWorld.open();
  const answer = await atZero(world);
  expect(await files(world)).toEqual(["default_hello-00001.json"]);
  expect(answer).toMatchObject({ started: true, endpoint: { protocol: "wire", socket: `/fake/${answer.podUid}` } });
  expect(answer.podName).toMatch(/^hello-00001-/);
  expect([world.agent.pods.all.length, world.podStates().length], "it is no pod, and takes no room").toEqual([0, 0]);
  await world.clock.advance(5000);
  world.runtime.wake(answer.podUid);
  await eventually(world, async () => world.podStates().join() === `${answer.podName} Running True`);
  expect(await files(world), "a second gateway asks, and is given the same").toEqual([]);
  const there = await world.agent.activator.activate({ namespace: "default", revision: "hello-00001" });
  expect(there).toMatchObject({ podName: answer.podName, endpoint: answer.endpoint, started: false });
  const pod = world.pod(answer.podName);
  const activatedAt = Date.parse(pod?.metadata.annotations?.[annotation.activatedAt] ?? "");
  expect(activatedAt, "then, and not when it began to stand by").toBeGreaterThanOrEqual(world.clock.wallMs() - 5000);
  expect(world.events.filter((event) => event.includes("Activated"))).toHaveLength(1);
  // When it is over, the next stands by.
  world.api.remove(pods, "default", answer.podName);
  await eventually(world, async () => (await files(world)).length === 1);
  expect((await answers(world))[0]?.podName).not.toBe(answer.podName);
});

test("nothing stands by beside a pod, without a thread that could rest, on a full node, or against a policy", async () => {
  await using world = await FakeWorld.open();
  const answer = await atZero(world);
  // A pod that the control plane has bound.
  world.bound("hello-00001-bound");
  await eventually(world, async () => (await files(world)).length === 0 && world.runtime.standbys.size === 0);
  await eventually(world, async () => world.podStates().join() === "hello-00001-bound Running True");
  await world.clock.advance(100);
  expect(() => world.runtime.wake(answer.podUid)).toThrow();
  world.images.refusal = new Error("an image policy says no");
  world.api.remove(pods, "default", "hello-00001-bound");
  await eventually(world, async () => world.agent.pods.all.length === 0);
  await world.clock.advance(1000);
  expect(await files(world)).toEqual([]);
  world.images.refusal = undefined;
  await world.agent.policiesChanged();
  await eventually(world, async () => (await files(world)).length === 1);
  // Another policy: it is asked for anew.
  world.images.refusal = new Error("an image policy says no");
  await world.agent.policiesChanged();
  expect([await files(world), world.runtime.standbys.size]).toEqual([[], 0]);
});

test("what does not stand by is asked once, and again when it has had a pod; one that does is made once", async () => {
  await using world = await FakeWorld.open();
  world.revision();
  await world.start();
  world.runtime.standsBy = false;
  const made = (): number => world.runtime.calls.filter((call) => call.startsWith("stand by")).length;
  const look = async (): Promise<void> => {
    for (let count = 0; count < 20; count++) {
      world.agent.wake();
      await world.clock.advance(1_000);
    }
  };
  world.runtime.standbyNamespaces.add("default");
  world.agent.wake();
  await eventually(world, async () => made() === 1);
  await look();
  expect(made()).toBe(1);
  expect(await readdir(path.join(world.directory, "pods"))).toEqual([]);
  world.runtime.standsBy = true;
  world.bound("hello-00001-bound");
  await eventually(world, async () => world.podStates().join() === "hello-00001-bound Running True");
  await world.clock.advance(100);
  world.api.remove(pods, "default", "hello-00001-bound");
  await eventually(world, async () => (await files(world)).length === 1);
  await look();
  expect(made()).toBe(2);
});

test("a full node has none", async () => {
  await using world = await FakeWorld.open();
  world.room = { podsMax: 1, memoryBytes: 2 ** 40 };
  const answer = await atZero(world);
  world.bound("other", { metadata: { labels: {} } });
  await eventually(world, async () => (await files(world)).length === 0 && !world.runtime.standbys.has(answer.podUid));
});

test("sixteen of a namespace at most: one that was asked for takes the place of one that nobody asks for", async () => {
  await using world = await FakeWorld.open();
  const name = (index: number): string => `f${String(index).padStart(2, "0")}-00001`;
  for (let index = 0; index < 18; index++) world.revision(name(index));
  await world.start();
  world.runtime.standbyNamespaces.add("default");
  world.agent.wake();
  await eventually(world, async () => (await files(world)).length === 16);
  const standing = new Set(await files(world));
  const [left] = Array.from({ length: 18 }, (_, index) => name(index)).filter(
    (each) => !standing.has(`default_${each}.json`),
  );
  const { podName } = await world.agent.activator.activate({ namespace: "default", revision: left ?? "" });
  await eventually(world, async () => world.podStates().join() === `${podName} Running True`);
  // What the list has not shown yet is not missed in it.
  await world.clock.advance(100);
  world.api.remove(pods, "default", podName);
  await eventually(world, async () => (await files(world)).includes(`default_${left ?? ""}.json`));
  expect(await files(world)).toHaveLength(16);
  await world.clock.advance(20_000);
  expect(await files(world), "and stays").toContain(`default_${left ?? ""}.json`);
});

test("an agent that is killed leaves no answer to believe, and the next one knows a pod that came up meanwhile", async () => {
  await using world = await FakeWorld.open();
  const answer = await atZero(world);
  const { runtime } = world;
  const pod = runtime.standbys.get(answer.podUid)!;
  // The process hears of the connection, the agent does not any more.
  world.machine.running.set(answer.podUid, pod);
  world.machine.running.set("stray", { ...pod, uid: "stray", name: "stray" });
  await world.start();
  expect(await files(world)).toEqual([]);
  await eventually(world, async () => world.podStates().join() === `${answer.podName} Running True`);
  expect(world.agent.pods.all.map(({ uid }) => uid)).toEqual([answer.podUid]);
});
