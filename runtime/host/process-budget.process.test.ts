import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { guestV8Flags } from "@shallop/sdk/internal";
import { expect, test } from "vitest";
import { budgetFor, mapsMaxUsual } from "./process-budget.ts";
import { hostileComponent } from "./testing/hostile-guests.ts";
import { never, RuntimeFixture } from "./testing/runtime-fixture.ts";
import type { WireClient } from "./testing/wire-client.ts";

// The budget is gone to, in a real process: what is too much is refused with a code, and the process lives. A smaller one than
// a process usually has: thousands of instances take a busy machine half a minute.
const mapsMax = 8000;
const { memoriesMax, stacksMax } = budgetFor(mapsMax);
const program = fileURLToPath(new URL("testing/full-budget-main.ts", import.meta.url));

/** Sends requests that wait for an hour, and gives the ends of those that have one. */
function crowd(
  client: WireClient,
  path: "/p" | "/g",
  count: number,
): { readonly code: string; readonly message: string }[] {
  const ended: { readonly code: string; readonly message: string }[] = [];
  for (let index = 0; index < count; index++) {
    client
      .get(path, { requestId: `r-${index}` })
      .catch((fault: { readonly code: string; readonly message: string }) => ended.push(fault));
  }
  return ended;
}

test("pods with more instances than the process can have memories: the rest is refused, and the process lives", async () => {
  await using fixture = await RuntimeFixture.open();
  const runtime = await fixture.runtime([], { mapsMax });
  const image = await fixture.imageOf(await hostileComponent());
  const limits = { memoryBytes: 2 ** 30, requestTimeoutMs: 600_000 };
  const pods = await Promise.all([1, 2].map(() => runtime.start(fixture.launch(image, "default", limits), never)));
  const clients = await Promise.all(pods.map((pod) => fixture.connect(pod)));
  const count = Math.ceil(memoriesMax * 0.75);
  const ended = clients.map((client) => crowd(client, "/g", count));
  const tooMany = 2 * count - memoriesMax;
  await fixture.until(() => ended.flat().length >= tooMany);
  const message = `The process of this namespace has ${memoriesMax} memories, which is all that it may have.`;
  for (const fault of ended.flat()) expect(fault).toMatchObject({ code: "REFUSED", message });
  // Each pod may have made one instance ahead, and so may threads that wait for another one.
  expect(ended.flat().length).toBeLessThanOrEqual(tooMany + 8);
  for (const client of clients) client[Symbol.dispose]();
  // Memories are there until they are collected, which is looked for when they are asked for.
  using again = await fixture.connect(pods[0]!);
  await fixture.until(() =>
    again.get("/a").then(
      () => true,
      () => false,
    ),
  );
  expect(fixture.exits.size).toBe(0);
  await fixture.until(() => fixture.notices.some(({ reason }) => reason === "Refused"));
});

test("what a full budget allows fits a process of V8, and leaves the mappings of its threads", async () => {
  const args = [...guestV8Flags, "--no-warnings", program, `${mapsMaxUsual}`];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 120_000 });
  const held = JSON.parse(stdout) as { readonly mappings: number };
  const full = budgetFor(mapsMaxUsual);
  expect(held).toMatchObject({ memories: full.memoriesMax, stacks: full.stacksMax });
  // A hundred for each thread.
  expect(held.mappings).toBeLessThan(mapsMaxUsual - 100 * full.threadsMax);
});

test("more requests in flight than there may be stacks are refused at once", async () => {
  await using fixture = await RuntimeFixture.open();
  const runtime = await fixture.runtime([], { mapsMax });
  const image = await fixture.imageOf(await hostileComponent());
  // One instance: all others wait for it, and are in flight all the same.
  const launch = fixture.launch(image, "default", { instancesMax: 1, requestTimeoutMs: 600_000 });
  using client = await fixture.connect(await runtime.start(launch, never));
  const ended = crowd(client, "/p", stacksMax + 50);
  await fixture.until(() => ended.length >= 50);
  const message = `The process of this namespace has ${stacksMax} requests in flight, all that it may have.`;
  for (const fault of ended) expect(fault).toMatchObject({ code: "REFUSED", message });
  expect(ended).toHaveLength(50);
});
