import type { EndedRun } from "../pod-state.ts";
import type { CheckLog } from "./check-log.ts";
import type { ContainerKind } from "./container-launch.ts";

/** What can be said of a container now; what its status is made of. */
export interface ContainerView {
  readonly name: string;
  readonly kind: ContainerKind;
  readonly imageId: string;
  readonly containerId?: string;
  readonly now:
    | { readonly phase: "waiting"; readonly reason: string; readonly message?: string }
    | { readonly phase: "running"; readonly startedWallMs: number }
    | { readonly phase: "ended"; readonly run: EndedRun };
  /** Its startup probe, if it has one, has succeeded. */
  readonly started: boolean;
  readonly ready: boolean;
  /** What its readiness probe finds, if it has one; of the current run, and as it is whenever this is read. */
  readonly checks?: CheckLog;
  /** Starts after the first. */
  readonly restartCount: number;
  /** The run before this one. */
  readonly last?: EndedRun;
}
