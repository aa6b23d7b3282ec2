import type { GrantedDirectory } from "../component/wasi/guest-context.ts";
import { clusterNetworks } from "../egress/cluster-services.ts";
import type { EgressGrant } from "../egress/egress-protocol.ts";
import type { LocalWasmImage } from "../image/local-image.ts";
import type { PathOf } from "../component/prepared-files.ts";
import type { PodExit, PodLaunch, PodObserver } from "../pod/pod-runtime.ts";
import type { HostPod } from "./control-protocol.ts";
import type { HostPlace } from "./host-place.ts";
import type { HostProcess } from "./host-process.ts";

/** One host process and what this agent knows of it. */
export interface Host {
  readonly process: HostProcess;
  readonly place: HostPlace;
  namespace: string | undefined;
  readonly pods: Map<string, HostPod>;
  /** The one pod that it is for, which has volumes; undefined: all of its namespace that have none. */
  readonly ownPod: string | undefined;
  readonly directories: readonly GrantedDirectory[];
  /** Why its watchdog is about to kill it: its pods are to be started again, not reported. */
  wedged: string | undefined;
}

export const newHost = (
  parts: Pick<Host, "process" | "place" | "namespace" | "ownPod">,
): Omit<Host, "directories"> => ({ ...parts, pods: new Map(), wedged: undefined });

/** A pod without what depends on the process that it gets. */
export type PodPlan = Omit<HostPod, "socketPath" | "preparedDir" | "egressSocket" | "directories">;

/** A pod that is to start, and the files of its component. */
export interface PodStart {
  readonly pod: PodPlan;
  readonly pathOf: PathOf;
}

/** `egressAllowed`: networks that pods may reach though they are special. */
export function planOf(
  launch: PodLaunch,
  { componentDigest }: LocalWasmImage,
  egressAllowed: readonly string[],
): PodPlan {
  const { uid, namespace, name, env, limits, dns } = launch;
  const findsServices = dns?.policy !== "None";
  const allowed = [...egressAllowed, ...clusterNetworks];
  const servicesFrom = dns?.policy === "Default" ? "" : namespace;
  return {
    ...{ uid, namespace, name, env, limits, componentDigest, egressAllowed: allowed },
    ...(findsServices ? { servicesFrom } : {}),
  };
}

/** The pod as this process has it. */
export function hostPodOf({ place, directories }: Host, { pod, pathOf }: PodStart): HostPod {
  const preparedDir = place.offer(pod.componentDigest, pathOf);
  const [socketPath, egressSocket] = [place.podSocket(pod.uid), place.egressSocket(pod.uid)];
  return { ...pod, preparedDir, socketPath, egressSocket, directories };
}

/** What the egress proxy lets it reach. */
export const grantOf = ({ uid, servicesFrom }: HostPod, allowed: readonly string[]): EgressGrant => ({
  ...{ allowed, pod: uid },
  ...(servicesFrom === undefined ? {} : { namespace: servicesFrom }),
});

/** A guest of pod `uid` does not stop, for which its process is killed: the pods that share it lose what they are at. */
export function tellOfEnd(
  { pods }: Host,
  { uid, message }: { readonly uid: string; readonly message: string },
  observer: PodObserver,
): void {
  const why = `${message}; its host process was killed and is started again`;
  observer.noticed(uid, { type: "Warning", reason: "GuestUnstoppable", message: why });
  const name = pods.get(uid)?.name ?? uid;
  const others = `a guest of pod ${name} did not stop; the process that both are in was killed, and is started again`;
  for (const other of pods.keys()) {
    if (other === uid) continue;
    observer.noticed(other, { type: "Warning", reason: "ProcessRestarted", message: others });
  }
}

/** The end of pods whose process has ended. */
export const exitWith = (outOfMemory: boolean): PodExit =>
  outOfMemory
    ? { exitCode: 137, reason: "OOMKilled", message: "the pods of this namespace used up their memory on this node" }
    : { exitCode: 137, reason: "Error", message: "the host process of this namespace ended" };
