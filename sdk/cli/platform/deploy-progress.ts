import type { Service } from "../../api/index.ts";
import { readyCondition } from "./services.ts";

/** How far a service is that has been written. */
export type DeployProgress =
  /** It answers; `rollout` says who gets how much, while the new revision gets its requests in steps. */
  | { readonly phase: "answers"; readonly rollout: string | undefined }
  | { readonly phase: "failed"; readonly why: string }
  | { readonly phase: "waiting"; readonly what: string };

/** What a service's status says of the change that made it this `generation`. */
export function deployProgress(service: Service, generation: number): DeployProgress {
  const { status, reason, message } = readyCondition(service) ?? {};
  const isCurrent = (service.status?.observedGeneration ?? 0) >= generation;
  const what = message ?? reason ?? "waiting for the control plane";
  if (!isCurrent) return { phase: "waiting", what };
  if (status === "True") return { phase: "answers", rollout: undefined };
  // The steps may take hours, or as long as nobody asks: whoever deploys need not wait for them.
  if (status === "Unknown" && reason === "RolloutInProgress") return { phase: "answers", rollout: message ?? "" };
  return status === "False"
    ? { phase: "failed", why: `${reason ?? "failed"}: ${message ?? ""}` }
    : { phase: "waiting", what };
}
