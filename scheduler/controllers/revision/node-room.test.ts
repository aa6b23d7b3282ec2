import { silentLog } from "@shallop/sdk/internal";
import { FakeClock, seededRandom } from "@shallop/sdk/internal/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createApi } from "../../api/api.ts";
import { inProcessClient } from "../../api/client.ts";
import { controllersUser } from "../../api/user.ts";
import { FakeStore } from "../../store/store.fake.ts";
import { FakeAgent } from "../agent.fake.ts";
import { revision } from "../plans.fixture.ts";
import { Cluster } from "../shared/cluster.ts";
import { newPod } from "./new-pod.ts";
import { NodeRoom } from "./node-room.ts";

const stop = { controller: new AbortController() };
let cluster: Cluster;

beforeEach(async () => {
  stop.controller = new AbortController();
  const clock = new FakeClock();
  const random = seededRandom(1);
  const api = await createApi({ store: new FakeStore(), clock, random, log: silentLog });
  const client = inProcessClient(api, controllersUser);
  await new FakeAgent("a", client, clock).step();
  cluster = new Cluster({ client, clock, random, log: silentLog, signal: stop.controller.signal });
  await cluster.synced();
});
afterEach(async () => {
  stop.controller.abort(new Error("over"));
  await cluster.stopped();
});

const demand = { cpu: 0.5, memoryBytes: 1000 };
const place = { node: "a", suffix: "x", reason: "" };

describe("NodeRoom", () => {
  test("what is reserved is taken, equal demands twice, until it is given back", () => {
    const room = new NodeRoom(cluster);
    const taken = () => room.views()[0]?.taken;
    const first = room.reserve("a", demand);
    const second = room.reserve("a", demand);
    expect(taken()).toEqual({ cpu: 1, memoryBytes: 2000, pods: 2 });
    first();
    first();
    expect(taken()).toEqual({ cpu: 0.5, memoryBytes: 1000, pods: 1 });
    second();
    expect(taken()).toEqual({ cpu: 0, memoryBytes: 0, pods: 0 });
  });

  test("a pod takes its requests as soon as it was written, and nothing once it has ended", async () => {
    const room = new NodeRoom(cluster);
    const pod = await cluster.create("pods", newPod(revision(1), place));
    expect(room.views()[0]?.taken).toEqual({ cpu: 0.01, memoryBytes: 32 * 2 ** 20, pods: 1 });
    await cluster.updateStatus("pods", { ...pod, status: { phase: "Failed" } });
    expect(room.views()[0]?.taken.pods).toBe(0);
  });
});
