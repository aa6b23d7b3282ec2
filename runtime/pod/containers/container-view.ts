import type { EndedRun } from "../pod-state.ts";
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
  /** Starts after the first. */
  readonly restartCount: number;
  /** The run before this one. */
  readonly last?: EndedRun;
}
