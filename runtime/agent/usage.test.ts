import { FakeClock } from "@shallop/sdk/internal/testing";
import { expect, test } from "vitest";
import type { PodCounters, PodRuntime } from "../pod/pod-runtime.ts";
import type { NodePods } from "./node-pods.ts";
import { UsageMeter } from "./usage.ts";

test("rates between two looks, counters as they are; a pod that nobody knows is left out", async () => {
  const clock = new FakeClock();
  let cpuNs = 0;
  const counters = async (): Promise<readonly PodCounters[]> => {
    const container = { cpuNs, memoryBytes: 5, processes: 1, readBytes: 7, writtenBytes: 8 };
    const network = { receivedBytes: 1, sentBytes: 2 };
    return ["known", "stray"].map((uid) => ({ uid, network, containers: [{ container: "a", ...container }] }));
  };
  const manifest = { namespace: "ns", name: "pod", spec: { containers: [{ name: "a", image: "i" }] } };
  const pods = {
    byUid: (uid: string) => (uid === "known" ? { manifest, record: {}, startedWallMs: () => 1_000 } : undefined),
  } as unknown as NodePods;
  const meter = new UsageMeter([{ counters } as unknown as PodRuntime], pods, clock);
  const first = meter.usage();
  await clock.advance(0);
  cpuNs = 250_000_000;
  await clock.advance(1000);
  const container = {
    name: "a",
    cpuNanoCores: 250_000_000,
    cpuNs: 250_000_000,
    memoryBytes: 5,
    processes: 1,
    readBytes: 7,
    writtenBytes: 8,
    startedAt: "1970-01-01T00:00:01Z",
  };
  expect(await first).toMatchObject({
    windowMs: 1000,
    pods: [{ namespace: "ns", name: "pod", uid: "known", containers: [container] }],
  });
  await clock.advance(4000);
  cpuNs += 4_000_000_000;
  // Who asks again is answered at once, over the time since the last look.
  expect((await meter.usage()).pods[0]?.containers[0]?.cpuNanoCores).toBe(1_000_000_000);
  cpuNs = 0;
  await clock.advance(2000);
  expect((await meter.usage()).pods[0]?.containers[0]?.cpuNanoCores).toBe(0);
});
