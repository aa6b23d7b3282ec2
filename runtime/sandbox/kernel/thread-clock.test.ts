import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { assert } from "@shallop/sdk/internal";
import { expect, test } from "vitest";
import { threadClock } from "./thread-clock.ts";

// Of the thread that spins; the kernel counts by its ticks, which are 10 ms at most.
const usedMs = 100;

function nodeSays(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

test.skipIf(process.platform !== "linux")(
  "the time of a thread that answers nobody is read, and is its own",
  async () => {
    assert(threadClock !== undefined, "this Node has node:ffi");
    const program = `
    import { parentPort } from "node:worker_threads";
    const { threadClock } = await import(${JSON.stringify(new URL("thread-clock.ts", import.meta.url).href)});
    parentPort.postMessage(threadClock.ownThread());
    for (;;);`;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`));
    const [spinning] = (await once(worker, "message")) as [number];
    const beganMs = threadClock.cpuMs(spinning) ?? Number.NaN;
    while ((threadClock.cpuMs(spinning) ?? 0) - beganMs < usedMs)
      await new Promise((resolve) => setTimeout(resolve, 5));
    // Other tests run on this thread, too: what it has used is what Node says, and nothing of the other's is in it.
    const [before, ownMs, after] = [nodeSays(), threadClock.cpuMs(threadClock.ownThread()) ?? Number.NaN, nodeSays()];
    expect(ownMs).toBeGreaterThan(before - usedMs / 2);
    expect(ownMs).toBeLessThan(after + usedMs / 2);
    await worker.terminate();
    await expect.poll(() => threadClock?.cpuMs(spinning)).toBeUndefined();
  },
);
