import type { GrantedDirectory } from "../component/wasi/guest-context.ts";
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
  /** Its watchdog is about to kill it: its pods are to be started again, not reported. */
  wedged: boolean;
}

export const newHost = (
  parts: Pick<Host, "process" | "place" | "namespace" | "ownPod">,
): Omit<Host, "directories"> => ({ ...parts, pods: new Map(), wedged: false });

/** A pod without what depends on the process that it gets. */
export type PodPlan = Omit<HostPod, "socketPath" | "preparedDir" | "egressSocket" | "directories">;
