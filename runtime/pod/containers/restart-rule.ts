import type { RestartPolicy } from "../pod-state.ts";
import type { ContainerKind } from "./container-launch.ts";

/** Is a container that ended with `exitCode` started again? As the kubelet decides (ShouldContainerBeRestarted). */
export function isRestarted(kind: ContainerKind, policy: RestartPolicy, exitCode: number): boolean {
  switch (kind) {
    case "sidecar":
      return true;
    case "init":
      // It has to succeed once; a policy of Always means for it what OnFailure means.
      return exitCode !== 0 && policy !== "Never";
    case "main":
      return policy === "Always" || (policy === "OnFailure" && exitCode !== 0);
    default:
      return kind satisfies never;
  }
}
