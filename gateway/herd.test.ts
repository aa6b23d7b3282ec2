import type { WireStream } from "@shallop/sdk/wire";
import { expect, test } from "vitest";
import { sendCrowd } from "../test/support/h2-crowd.ts";
import { start } from "./client.fake.ts";
import { activation, type FakeCluster, saying } from "./gateway.fake.ts";
import { GatewayFault } from "./proxy/fault-status.ts";

// Herds at functions that have no pod: one activation for each pod that is needed, and every request answered once.

/** Pods that count what they are given, by target; each home has one of each function, and no second. */
async function coldFunctions(cluster: FakeCluster, names: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const seen = new Map<string, number>();
  const pods = new Map<string, Awaited<ReturnType<FakeCluster["wirePod"]>>>();
  for (const name of names) {
    cluster.service(name);
    const pod = await cluster.wirePod((head, stream: WireStream) => {
      seen.set(head.target, (seen.get(head.target) ?? 0) + 1);
      return saying("ok")(head, stream);
    });
    pods.set(`default/${name}-00001`, pod);
  }
  const started = new Set<string>();
  cluster.activate = (_node, revision) => {
    const pod = pods.get(revision);
    if (pod === undefined || started.has(revision)) return Promise.reject(new GatewayFault("NO_CAPACITY", "no more"));
    started.add(revision);
    return Promise.resolve(activation(`${revision.slice("default/".length)}-a`, pod.endpoint));
  };
  return seen;
}

const timesOnce = (count: number): readonly number[] => Array.from({ length: count }, () => 1);

test("5,000 at once on one cold function: one activation, all answered, none sent twice", async () => {
  const cluster = await start();
  const seen = await coldFunctions(cluster, ["cold"]);
  const { statuses } = await sendCrowd({
    port: cluster.port,
    host: "cold.default.localhost",
    path: (index) => `/${index}`,
    requests: 5_000,
  });
  expect(statuses).toEqual({ 200: 5_000 });
  expect([...seen.values()]).toEqual(timesOnce(5_000));
  expect(cluster.asked.filter((asked) => asked === "n1 default/cold-00001")).toHaveLength(1);
  expect(cluster.gateway.load).toEqual({ open: 0, waiting: 0 });
});

test("20 at once on each of 200 cold functions: one activation each, all answered, none sent twice", async () => {
  const cluster = await start();
  const names = Array.from({ length: 200 }, (_none, index) => `cold-${index}`);
  const seen = await coldFunctions(cluster, names);
  const crowds = await Promise.all(
    names.map((name) =>
      sendCrowd({
        port: cluster.port,
        host: `${name}.default.localhost`,
        path: (index) => `/${name}/${index}`,
        requests: 20,
      }),
    ),
  );
  expect(crowds.map(({ statuses }) => statuses)).toEqual(names.map(() => ({ 200: 20 })));
  expect([...seen.values()]).toEqual(timesOnce(4_000));
  expect(new Set(cluster.asked).size).toBe(cluster.asked.length);
  expect(cluster.asked).toHaveLength(200);
});

test("more than may wait: each is answered once, or told when to come again", async () => {
  const cluster = await start({ queueDepthMax: 300 });
  const seen = await coldFunctions(cluster, ["cold"]);
  const whenAsked = cluster.activate;
  const { promise: refused, resolve: allRefused } = Promise.withResolvers<void>();
  cluster.activate = (...asked) => refused.then(() => whenAsked(...asked));
  let answers = 0;
  const { statuses, retryAfter } = await sendCrowd({
    port: cluster.port,
    host: "cold.default.localhost",
    path: (index) => `/${index}`,
    requests: 1_000,
    answered: () => {
      if (++answers === 700) allRefused();
    },
  });
  expect(statuses).toEqual({ 200: 300, 503: 700 });
  expect(retryAfter).toBe(700);
  expect([...seen.values()]).toEqual(timesOnce(300));
});
