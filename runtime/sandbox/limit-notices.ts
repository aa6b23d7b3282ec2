import type { PodObserver } from "../pod/pod-runtime.ts";
import type { CgroupTree } from "./kernel/cgroup.ts";
import type { NativePod } from "./native-pod.ts";

/**
 * Tells what limits have refused since they were last looked at: memory as OOMKilling, processes as PidsLimit. Of a pod
 * of one container, or of one among several, which is named then.
 */
export async function noticeRefusals(
  pod: Pick<NativePod, "names" | "record" | "memoryBytes" | "seen">,
  {
    cgroups,
    observer,
    container,
  }: { readonly cgroups: CgroupTree; readonly observer: PodObserver; readonly container?: string },
): Promise<void> {
  const who = container === undefined ? "the pod" : `container ${container}`;
  const now = await cgroups.counters(pod.names.runtimeCgroup);
  const notice = (reason: string, message: string): void =>
    observer.noticed(pod.record.uid, { type: "Warning", reason, message });
  if (now.oomKills > pod.seen.oomKills) {
    notice("OOMKilling", `A process of ${who} was killed: its memory limit of ${pod.memoryBytes} bytes was reached.`);
  }
  if (now.pidsRefused > pod.seen.pidsRefused) {
    notice("PidsLimit", `A process or thread of ${who} could not be started: its limit of processes was reached.`);
  }
  pod.seen = now;
}
