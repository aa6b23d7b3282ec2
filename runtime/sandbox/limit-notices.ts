import type { PodObserver } from "../pod/pod-runtime.ts";
import type { CgroupTree } from "./kernel/cgroup.ts";
import type { NativePod } from "./native-pod.ts";

/** Tells what a pod's limits have refused since they were last looked at: memory as OOMKilling, processes as PidsLimit. */
export async function noticeRefusals(pod: NativePod, cgroups: CgroupTree, observer: PodObserver): Promise<void> {
  const now = await cgroups.counters(pod.names.runtimeCgroup);
  const notice = (reason: string, message: string): void =>
    observer.noticed(pod.record.uid, { type: "Warning", reason, message });
  if (now.oomKills > pod.seen.oomKills) {
    notice(
      "OOMKilling",
      `A process of the pod was killed: its memory limit of ${pod.record.memoryBytes} bytes was reached.`,
    );
  }
  if (now.pidsRefused > pod.seen.pidsRefused) {
    notice("PidsLimit", "The pod could not start a process or thread: its limit of processes was reached.");
  }
  pod.seen = now;
}
