import { expect, test } from "vitest";
import { FakeClock } from "@shallop/sdk/internal/testing";
import { compactRegularly } from "./compaction.ts";
import { FakeStore } from "./store.fake.ts";

const minutes = (count: number): number => count * 60_000;

/** Whether the log still reaches back to `revision`. */
function reaches(store: FakeStore, revision: number): boolean {
  try {
    store.watch("", revision, () => undefined).stop();
    return true;
  } catch {
    return false;
  }
}

async function write(store: FakeStore, count: number): Promise<void> {
  for (let written = 0; written < count; written++) {
    await store.put("/a", new Uint8Array(1), store.get("/a")?.revision ?? 0);
  }
}

test("compacts to where the store was five minutes before, and keeps the newest thousand", async () => {
  await using store = new FakeStore();
  const clock = new FakeClock();
  const compaction = compactRegularly(store, clock);
  await write(store, 1500);
  await clock.advance(minutes(5));
  expect(reaches(store, 0)).toBe(true);
  await clock.advance(minutes(5));
  expect([reaches(store, 499), reaches(store, 500)]).toEqual([false, true]);
  await write(store, 1200);
  await clock.advance(minutes(5));
  expect([reaches(store, 1499), reaches(store, 1500)]).toEqual([false, true]);
  compaction.stop();
  await clock.advance(minutes(60));
  expect(reaches(store, 1500)).toBe(true);
});
