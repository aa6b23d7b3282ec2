import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { assert } from "@shallop/sdk/internal";
import { expect, test } from "vitest";
import { threadClock } from "./thread-clock.ts";

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
    const own = threadClock.ownThread();
    const ownBeganMs = threadClock.cpuMs(own) ?? Number.NaN;
    const beganMs = threadClock.cpuMs(spinning) ?? Number.NaN;
    while ((threadClock.cpuMs(spinning) ?? 0) - beganMs < 100) await new Promise((resolve) => setTimeout(resolve, 5));
    expect((threadClock.cpuMs(own) ?? 0) - ownBeganMs).toBeLessThan(100);
    await worker.terminate();
    await expect.poll(() => threadClock?.cpuMs(spinning)).toBeUndefined();
  },
);
