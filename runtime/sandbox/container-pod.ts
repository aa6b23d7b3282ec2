import type { Timer } from "@shallop/sdk/internal";
import type { PodContainers } from "../pod/containers/pod-containers.ts";
import type { ContainerLimits, PodExit } from "../pod/pod-runtime.ts";
import type { PlannedLaunch } from "./launch-record.ts";
import type { NativePod } from "./native-pod.ts";
import type { PodFiles, PodNames } from "./pod-files.ts";
import type { Start } from "./start.ts";
import type { PodVolumes } from "./volumes.ts";

/** A pod of several containers whose sandbox is there. */
export interface ContainerPod {
  /** With the networks that it is in now. */
  launch: PlannedLaunch;
  readonly names: PodNames;
  readonly files: PodFiles;
  readonly start: Start;
  readonly volumes: PodVolumes;
  readonly containers: PodContainers;
  /** Those that run, by name. */
  readonly running: Map<string, NativePod>;
  /** Of containers whose limits are no longer those that they were launched with. */
  readonly limits: Map<string, ContainerLimits>;
  /** The start under way. */
  starting: Promise<unknown>;
  /** Resolves when the pod has ended for good and nothing of it is left. */
  over: Promise<void>;
  stopping: boolean;
  /** Why it was ended from here, when it was. */
  verdict?: PodExit;
  deadline?: Timer;
}
