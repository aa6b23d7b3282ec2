import type { JsonObject } from "@shallop/sdk/api";
import { expect, test } from "vitest";
import { admin, at, openApi } from "./api.fixture.ts";
import { expireEvents, sweepEvents } from "./event-expiry.ts";
import { listObjects } from "./read.ts";
import { adminUser } from "./user.ts";
import { createObject } from "./write.ts";

const event = (name: string, lastTimestamp: string): JsonObject => ({
  apiVersion: "v1",
  kind: "Event",
  metadata: { name },
  involvedObject: { kind: "Pod", name: "web", namespace: "default" },
  lastTimestamp,
});

test("an event goes an hour after it last occurred", async () => {
  const api = await openApi();
  const events = at("events", "default");
  const names = (): string[] => listObjects(api, events, {}, adminUser).items.map((item) => item.metadata.name);
  await createObject(api, events, event("old", "2025-12-31T23:00:00Z"), admin);
  await createObject(api, events, event("young", "2025-12-31T23:00:01Z"), admin);
  await sweepEvents(api);
  expect(names()).toEqual(["young"]);
  const timer = expireEvents(api);
  await api.clock.advance(60_000);
  await api.clock.advance(0);
  timer.cancel();
  expect(names()).toEqual([]);
});
