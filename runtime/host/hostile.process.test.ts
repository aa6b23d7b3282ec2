import { afterAll, beforeAll, expect, test } from "vitest";
import type { RunningPod } from "../pod/pod-runtime.ts";
import { hostileComponent, tableComponent } from "./testing/hostile-guests.ts";
import { never, RuntimeFixture } from "./testing/runtime-fixture.ts";
import type { WasmRuntime } from "./wasm-runtime.ts";

// What each breach of a limit ends with, at the wire: the code, and the sentence for whoever called.

let fixture: RuntimeFixture;
let runtime: WasmRuntime;
let pod: RunningPod;
let table: RunningPod;

beforeAll(async () => {
  fixture = await RuntimeFixture.open();
  runtime = await fixture.runtime();
  // Half a second of CPU time is there within a minute, whoever else the machine serves.
  const limits = { cpuTimeMs: 500, requestTimeoutMs: 60_000, memoryBytes: 32 * 1024 * 1024 };
  pod = await runtime.start(fixture.launch(await fixture.imageOf(await hostileComponent()), "default", limits), never);
  const small = { ...limits, tableEntriesMax: 20_000 };
  table = await runtime.start(fixture.launch(await fixture.imageOf(await tableComponent()), "default", small), never);
});
afterAll(() => fixture?.[Symbol.asyncDispose]());

test.each([
  { what: "memory growth", path: "/m", code: "GUEST_MEMORY", message: "The function used up its memory of 32Mi." },
  {
    what: "a handle leak",
    path: "/h",
    code: "GUEST_HANDLES",
    message: "The function held 10000 handles and asked for one more.",
  },
  {
    what: "a header flood",
    path: "/w",
    code: "GUEST_HEADERS",
    message: "The function made more than 512 header fields.",
  },
  { what: "a log flood", path: "/l", code: "GUEST_CPU", message: "The function used more than 500ms of CPU time." },
  { what: "a spin", path: "/s", code: "GUEST_CPU", message: "The function used more than 500ms of CPU time." },
  { what: "a long wait", path: "/p", code: "GUEST_TIMEOUT", message: "The function did not answer within 700ms." },
  { what: "recursion", path: "/r", code: "GUEST_FAILED", message: expect.stringContaining("call stack") },
  { what: "a trap", path: "/t", code: "GUEST_FAILED", message: expect.stringContaining("unreachable") },
])("$what: $code", async ({ path, code, message }) => {
  using client = await fixture.connect(pod);
  await expect(client.get(path, path === "/p" ? { timeoutMs: 700 } : {})).rejects.toMatchObject({ code, message });
  expect((await client.get("/a")).head.status).toBe(200);
});

test("table growth: GUEST_TABLE", async () => {
  using client = await fixture.connect(table);
  await expect(client.get("/")).rejects.toMatchObject({
    code: "GUEST_TABLE",
    message: "The function used up its tables of 20000 entries.",
  });
});

test("output without end is cut at the time limit", async () => {
  using client = await fixture.connect(pod);
  let received = 0;
  const { stream, answer } = client.send("/o", { timeoutMs: 3000 }, (chunk, sent) => {
    received += chunk.length;
    sent.consumed(chunk.length);
  });
  stream.end();
  await expect(answer).rejects.toMatchObject({ code: expect.stringMatching(/^GUEST_(?:TIMEOUT|CPU)$/) });
  expect(received).toBeGreaterThan(64 * 1024);
});

test("a trap storm: each request has its own end, and the pod goes on", async () => {
  using client = await fixture.connect(pod);
  const codes = new Set<unknown>();
  for (let round = 0; round < 10; round++) {
    const storm = Array.from({ length: 50 }, () => client.get("/t").catch((error: { code: string }) => error.code));
    for (const code of await Promise.all(storm)) codes.add(code);
  }
  expect([...codes]).toEqual(["GUEST_FAILED"]);
  expect((await client.get("/a")).head.status).toBe(200);
});

test("the pod's events name each limit that was met, once in a while", async () => {
  const reasons = ["GuestMemory", "GuestHandles", "GuestHeaders", "GuestCpu", "GuestTimeout", "LogRate"];
  await fixture.until(() => reasons.every((reason) => fixture.notices.some((notice) => notice.reason === reason)));
  expect(fixture.notices.length).toBeLessThan(20);
  expect(fixture.exits.size).toBe(0);
});
