// The thread that makes pods' mount namespaces, and sockets where their network is another than ours. It alone of all threads goes into other namespaces, and never waits there.
import { mkdirSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { describeError } from "@shallop/sdk/internal";
import { boundSocket } from "./bound-socket.ts";
import { Libc } from "./libc.ts";
import type { MountAnswer, MountRequest, MountWish } from "./mount-thread.ts";
import { enterNetwork, makePodMounts, podMountPoint } from "./pod-mounts.ts";

const libc = Libc.load();
// For good: into the machine's own network only the machine's root comes back.
if (typeof workerData === "string") enterNetwork(libc, workerData);

parentPort?.on("message", ({ id, ...wish }: MountRequest) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort?.postMessage({ id, ...answerTo(wish) } satisfies MountAnswer);
});

function answerTo(wish: MountWish): { readonly fd: number } | { readonly error: string } {
  try {
    if ("socket" in wish) return { fd: boundSocket(libc, wish.socket) };
    // The machine's /run is empty after a boot.
    mkdirSync(podMountPoint, { recursive: true, mode: 0o755 });
    return { fd: makePodMounts(libc, wish.mounts) };
  } catch (error) {
    return { error: describeError(error) };
  }
}
