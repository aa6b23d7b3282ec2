import type { ContainerProcess } from "../container-process.ts";
import type { PodExit } from "../pod-runtime.ts";
import type { EndedRun } from "../pod-state.ts";
import type { ContainerLaunch } from "./container-launch.ts";

/** A container that runs. */
export interface ContainerRun {
  /** `runc://…`. */
  readonly id: string;
  /** Of the pod; where its ports are. */
  readonly address: string;
  readonly startedWallMs: number;
  /** Resolves with how it ended, when nothing of it is left. */
  readonly ended: Promise<PodExit>;
  /** Asks it to end, and ends it after the grace. Resolves when it has ended. */
  stop(graceMs: number): Promise<void>;
  /** @throws PodFault EXEC_FAILED */
  exec(command: readonly string[]): Promise<ContainerProcess>;
}

/** What starts containers of a pod whose sandbox is there. */
export interface ContainerStarter {
  /** Resolves when its program runs. @throws PodFault */
  start(launch: ContainerLaunch, restartCount: number, signal: AbortSignal): Promise<ContainerRun>;
}

/** What was found of a container after a restart of the agent. */
export type FoundContainer =
  | {
      readonly kind: "running";
      readonly run: ContainerRun;
      readonly restartCount: number;
      /** The run before this one. */
      readonly last?: EndedRun;
    }
  | { readonly kind: "ended"; readonly run: EndedRun; readonly restartCount: number };
