import { routes, services, type TrafficTarget } from "@shallop/sdk/api";
import { expect, onTestFinished, test } from "vitest";
import { World } from "../control-plane.fake.ts";

/** A service with one revision that serves, and annotations that ask for a rollout of the next. */
async function serving(annotations: Record<string, string>): Promise<World> {
  const world = await World.start(["n1"]);
  onTestFinished(() => world[Symbol.asyncDispose]());
  await world.deploy("hello", "hello:1", { "autoscaling.knative.dev/min-scale": "1" });
  await world.ready("hello");
  const prefixed = Object.entries(annotations).map(([name, value]) => [`rollout.shallop.dev/${name}`, value]);
  const target = { namespace: "default", name: "hello" };
  const template = {
    metadata: { annotations: { "autoscaling.knative.dev/min-scale": "1" } },
    spec: { containers: [{ image: "hello:2" }] },
  };
  const body = { metadata: { annotations: Object.fromEntries(prefixed) }, spec: { template } };
  await world.client.patch(services, target, { type: "merge", body });
  await world.until("the second revision is tried", async () => (await traffic(world)).length === 2);
  return world;
}

const traffic = async ({ client }: World): Promise<readonly TrafficTarget[]> =>
  (await client.get(routes, "default", "hello")).status?.traffic ?? [];

const shares = async (world: World): Promise<Record<string, number | undefined>> =>
  Object.fromEntries((await traffic(world)).map(({ revisionName = "", percent }) => [revisionName.slice(-1), percent]));

function report({ controllers }: World, requestCount: number, failureCount: number): void {
  const load = { namespace: "default", revision: "hello-00002", averageConcurrency: 1, periodMs: 1000, waiting: 0 };
  controllers.report({ gateway: "g", revisions: [{ ...load, requestCount, failureCount }] });
}

test("step by step, by time, and then it has all", async () => {
  const world = await serving({ steps: "10,50", interval: "10s" });
  expect(await shares(world)).toEqual({ 1: 90, 2: 10 });
  await world.pass(12_000);
  expect(await shares(world)).toEqual({ 1: 50, 2: 50 });
  await world.pass(12_000);
  expect(await shares(world)).toEqual({ 2: 100 });
  expect(await world.reasons()).toEqual(
    expect.arrayContaining(["RolloutStarted", "RolloutAdvanced", "RolloutCompleted"]),
  );
  expect(world.errors).toEqual([]);
});

test("errors take all requests back, also after a restart of the control plane, until a new revision comes", async () => {
  const world = await serving({ steps: "20", interval: "60s", "min-requests": "10" });
  expect(await shares(world)).toEqual({ 1: 80, 2: 20 });
  await world.pass(1_000);
  report(world, 10, 3);
  await world.pass(2_000);
  expect(await shares(world)).toEqual({ 1: 100, 2: 0 });
  expect(await world.condition("hello", "RoutesReady")).toMatchObject({ status: "False", reason: "RolledBack" });
  await world.restart();
  await world.pass(70_000);
  expect(await shares(world)).toEqual({ 1: 100, 2: 0 });
  expect(await world.reasons()).toContain("RolloutFailed");
});

test("good answers alone take it on, where that is asked for", async () => {
  const world = await serving({ steps: "20", advance: "requests", "min-requests": "10" });
  await world.pass(90_000);
  expect(await shares(world)).toEqual({ 1: 80, 2: 20 });
  report(world, 10, 0);
  await world.pass(2_000);
  expect(await shares(world)).toEqual({ 2: 100 });
});
