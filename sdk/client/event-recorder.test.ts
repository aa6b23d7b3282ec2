import { expect, test } from "vitest";
import { ApiFault } from "../api/fault.ts";
import { events } from "../api/resources.ts";
import { FakeClock } from "../internal/testing/clock.fake.ts";
import { seededRandom } from "../internal/testing/random.fake.ts";
import { FakeApi } from "./api-client.fake.ts";
import { EventRecorder, type ObjectReference, referenceTo } from "./event-recorder.ts";

const pod: ObjectReference = { apiVersion: "v1", kind: "Pod", namespace: "team", name: "web", uid: "u1" };

function start(): { api: FakeApi; clock: FakeClock; recorder: EventRecorder } {
  const api = new FakeApi();
  const clock = new FakeClock();
  const recorder = new EventRecorder(api, {
    component: "shallop-agent",
    host: "node-a",
    clock,
    random: seededRandom(1),
  });
  return { api, clock, recorder };
}

const written = async (api: FakeApi): Promise<unknown[]> =>
  (await api.list(events)).items.map(({ reason, count, metadata }) => [metadata.namespace, reason, count]);

test("an event says what happened to what, when, and who tells it", async () => {
  const { api, clock, recorder } = start();
  recorder.event(pod, "Normal", "Started", "Started in 3 ms.");
  await clock.advance(0);
  const { items } = await api.list(events);
  expect(items).toHaveLength(1);
  expect(items[0]).toMatchObject({
    kind: "Event",
    metadata: { namespace: "team", name: expect.stringMatching(/^web\.[0-9a-z]+$/) },
    involvedObject: pod,
    type: "Normal",
    reason: "Started",
    message: "Started in 3 ms.",
    count: 1,
    firstTimestamp: "2026-01-01T00:00:00Z",
    source: { component: "shallop-agent", host: "node-a" },
  });
});

test("events about what lives in no namespace go to the default one", async () => {
  const { api, clock, recorder } = start();
  const node = api.put("nodes", { kind: "Node", name: "n1" });
  recorder.event(referenceTo(node), "Normal", "Joined", "It is here.");
  await clock.advance(0);
  expect(await written(api)).toEqual([["default", "Joined", 1]]);
});

test("repeats raise a count: those of one turn before the event is written, later ones by patch", async () => {
  const { api, clock, recorder } = start();
  for (let count = 0; count < 5; count++) recorder.event(pod, "Warning", "BackOff", "It died.");
  recorder.event(pod, "Warning", "BackOff", "It died differently.");
  await clock.advance(0);
  await clock.advance(5_000);
  recorder.event(pod, "Warning", "BackOff", "It died.");
  await clock.advance(0);
  const { items } = await api.list(events);
  expect(items.map(({ count, message }) => [message, count])).toEqual([
    ["It died.", 6],
    ["It died differently.", 1],
  ]);
  expect(items[0]?.lastTimestamp).toBe("2026-01-01T00:00:05Z");
  expect(items[0]?.firstTimestamp).toBe("2026-01-01T00:00:00Z");
});

test("an event whose first one was removed is told anew", async () => {
  const { api, clock, recorder } = start();
  recorder.event(pod, "Normal", "Scaled", "To one.");
  await clock.advance(0);
  const { items } = await api.list(events);
  api.remove("events", "team", items[0]?.metadata.name ?? "");
  recorder.event(pod, "Normal", "Scaled", "To one.");
  await clock.advance(0);
  expect(await written(api)).toEqual([["team", "Scaled", 1]]);
});

test("a server that is away is waited for, and what repeats meanwhile is counted", async () => {
  const { api, clock, recorder } = start();
  api.away = new ApiFault("ServiceUnavailable", "away");
  recorder.event(pod, "Normal", "A", "a");
  recorder.event(pod, "Normal", "B", "b");
  await clock.advance(3_000);
  recorder.event(pod, "Normal", "B", "b");
  api.away = undefined;
  await clock.advance(10_000);
  expect(await written(api)).toEqual([
    ["team", "A", 1],
    ["team", "B", 2],
  ]);
});

test("what is refused for good is dropped, and the next one goes on", async () => {
  const { api, clock, recorder } = start();
  api.failNext("Forbidden");
  recorder.event(pod, "Normal", "A", "a");
  recorder.event(pod, "Normal", "B", "b");
  await clock.advance(0);
  expect(await written(api)).toEqual([["team", "B", 1]]);
});

test("no more than a thousand wait", async () => {
  const { api, clock, recorder } = start();
  for (let count = 0; count < 1500; count++) recorder.event(pod, "Normal", "Flood", `number ${count}`);
  await clock.advance(0);
  expect(await written(api)).toHaveLength(1000);
});

test("stopping writes what waits; afterwards nothing is taken", async () => {
  const { api, recorder } = start();
  recorder.event(pod, "Normal", "A", "a");
  await recorder.stop();
  recorder.event(pod, "Normal", "B", "b");
  await recorder.stop();
  expect(await written(api)).toEqual([["team", "A", 1]]);
});

test("stopping does not wait for a server that is away", async () => {
  const { api, clock, recorder } = start();
  api.away = new ApiFault("ServiceUnavailable", "away");
  recorder.event(pod, "Normal", "A", "a");
  await clock.advance(0);
  let stopped = false;
  const stopping = recorder.stop().then(() => (stopped = true));
  await clock.advance(1_900);
  expect(stopped).toBe(false);
  await clock.advance(200);
  expect(stopped).toBe(true);
  await stopping;
});
