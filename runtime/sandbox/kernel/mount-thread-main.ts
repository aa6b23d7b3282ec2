// The thread that makes pods' mount namespaces. It alone of all threads goes into other namespaces, and never waits there.
import { mkdirSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import { describeError } from "@shallop/sdk/internal";
import { Libc } from "./libc.ts";
import type { MountAnswer, MountRequest } from "./mount-thread.ts";
import { makePodMounts, podMountPoint } from "./pod-mounts.ts";

const libc = Libc.load();

parentPort?.on("message", ({ id, mounts }: MountRequest) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort?.postMessage({ id, ...answerTo(mounts) } satisfies MountAnswer);
});

function answerTo(mounts: MountRequest["mounts"]): { readonly fd: number } | { readonly error: string } {
  try {
    // The machine's /run is empty after a boot.
    mkdirSync(podMountPoint, { recursive: true, mode: 0o755 });
    return { fd: makePodMounts(libc, mounts) };
  } catch (error) {
    return { error: describeError(error) };
  }
}
