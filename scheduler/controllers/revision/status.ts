import type { FailedNode, Revision, RevisionScaling } from "@shallop/sdk/api";
import type { Activity } from "../../autoscale/activity.ts";
import type { Homes } from "../../place/homes.ts";
import { conditionsFrom, failed, type Finding, isTrue, unknown } from "../shared/conditions.ts";
import type { Resolution } from "./resolutions.ts";

export interface StatusWorld {
  readonly revision: Revision;
  readonly resolution: Resolution;
  readonly homes: Homes;
  readonly nodeExists: (node: string) => boolean;
  readonly want: number;
  readonly ready: number;
  readonly initialScale: number;
  readonly scaling: RevisionScaling;
  readonly activity: Activity["phase"];
  /** Why pods do not come up, when some have tried. */
  readonly crash: { readonly reason: string; readonly message: string } | undefined;
  /** Why the next pod fits nowhere. */
  readonly unplaceable: string | undefined;
  /** For how long every home has said that it cannot prepare the image; 0 when some have not. */
  readonly refusedMs: number;
  /** Time that it has had to come up, and may have. */
  readonly ageMs: number;
  readonly deadlineMs: number;
  readonly wallMs: number;
}

/** The condition that says that the initial scale was reached once. Only for the control plane itself. */
export const initializedCondition = "ScaleTargetInitialized";

/** Faults of a preparation that may pass by themselves: they say something about the way to the image, not about it. */
const passingCodes: ReadonlySet<string> = new Set(["REGISTRY_UNREACHABLE", "RATE_LIMITED", "STORE_FAILED", "ABORTED"]);

/**
 * What may pass is not called a failure before this. Nodes go on trying all the while and after it, so that the revision
 * is ready when the way to the image is mended; but a person who waits for a deployment is told (kubelet: ErrImagePull).
 */
export const passingMsMax = 3_000;

export interface RevisionStatusPlan {
  readonly status: NonNullable<Revision["status"]>;
  readonly initialized: boolean;
}

/** `status` of a revision. */
export function planStatus(world: StatusWorld): RevisionStatusPlan {
  const { revision, homes, ready, want, wallMs, resolution } = world;
  const before = revision.status;
  const prepared = (before?.preparedNodes ?? []).filter(({ node }) => world.nodeExists(node));
  const refusing = (before?.failedNodes ?? []).filter(({ node }) => world.nodeExists(node));
  const wasInitialized = before?.conditions?.some(
    ({ type, status }) => type === initializedCondition && status === "True",
  );
  const initialized = wasInitialized === true || (prepared.length > 0 && ready >= world.initialScale);
  const facts: Facts = { world, initialized, prepared: prepared.map(({ node }) => node), refusing };
  const findings = {
    Active: activeFinding(world),
    ContainerHealthy: containerFinding(facts),
    ResourcesAvailable: resourcesFinding(facts),
    [initializedCondition]: initialized
      ? { ...isTrue, severity: "Info" as const }
      : { ...unknown("Deploying", "the initial scale was not reached yet"), severity: "Info" as const },
  };
  return {
    initialized,
    status: {
      ...before,
      observedGeneration: revision.metadata.generation,
      conditions: conditionsFrom(findings, before?.conditions, wallMs),
      ...(resolution.phase === "resolved" ? { containerStatuses: resolution.containerStatuses } : {}),
      actualReplicas: ready,
      desiredReplicas: want,
      scaling: world.scaling,
      homeNodes: homes.nodes,
      ...(before?.preparedNodes === undefined ? {} : { preparedNodes: prepared }),
      ...(before?.failedNodes === undefined ? {} : { failedNodes: refusing }),
    },
  };
}

interface Facts {
  readonly world: StatusWorld;
  readonly initialized: boolean;
  readonly prepared: readonly string[];
  readonly refusing: readonly FailedNode[];
}

/** knative/serving PodAutoscaler: reasons that people know. */
function activeFinding({ activity, want, ready, ageMs, deadlineMs, revision }: StatusWorld): Finding {
  const info = { severity: "Info" as const };
  const queued = unknown("Queued", "requests to the revision are held while pods start");
  switch (activity) {
    case "active":
      return ready > 0 ? { ...isTrue, ...info } : { ...queued, ...info };
    case "activating":
      return { ...queued, ...info };
    case "inactive": {
      const neverReady =
        revision.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") !== true;
      return neverReady && want === 0 && ageMs > deadlineMs
        ? { ...failed("TimedOut", "the revision could not be activated"), ...info }
        : { ...failed("NoTraffic", "the revision is not receiving traffic"), ...info };
    }
    default:
      return activity satisfies never;
  }
}

function containerFinding({ world, initialized, prepared, refusing }: Facts): Finding {
  const { resolution, homes, crash, ready, want } = world;
  if (resolution.phase === "failed")
    return failed(resolutionReasons[resolution.code] ?? "ContainerMissing", resolution.message);
  if (resolution.phase === "pending") return unknown("ResolvingDigests", "the image is being resolved to a digest");
  const refusal = prepared.length === 0 ? refusalOf(homes.nodes, refusing) : undefined;
  if (refusal !== undefined && !initialized) {
    const message = `node ${refusal.node} cannot prepare the image: ${refusal.message}`;
    const reason = camelCase(refusal.code);
    const mayPass = passingCodes.has(refusal.code) && world.refusedMs < passingMsMax && !isSaidAlready(world, reason);
    return mayPass ? unknown("Preparing", message) : failed(reason, message);
  }
  if (crash !== undefined && ready === 0 && (want > 0 || !initialized)) return failed(crash.reason, crash.message);
  return initialized || ready > 0 ? isTrue : unknown("Deploying", "no pod is ready yet");
}

/** Knative's reason for an image that cannot be had is ContainerMissing. */
const resolutionReasons: Readonly<Record<string, string>> = {
  POLICY_DENIED: "ImagePolicyViolation",
  APPROVAL_REQUIRED: "ApprovalRequired",
};

/** After a restart of the control plane, how long it has been is forgotten, but not what was said. */
const isSaidAlready = ({ revision }: StatusWorld, reason: string): boolean =>
  revision.status?.conditions?.some(
    (condition) => condition.type === "ContainerHealthy" && condition.status === "False" && condition.reason === reason,
  ) === true;

/** No home has the image prepared, and each has said why not. */
export const isRefusedByAll = ({ status }: Revision, homes: readonly string[]): boolean =>
  (status?.preparedNodes ?? []).length === 0 && refusalOf(homes, status?.failedNodes ?? []) !== undefined;

/** Every home has said that it cannot: the first one's words. */
function refusalOf(homes: readonly string[], refusing: readonly FailedNode[]): FailedNode | undefined {
  const all = homes.length > 0 && homes.every((home) => refusing.some(({ node }) => node === home));
  return all ? refusing.find(({ node }) => node === homes[0]) : undefined;
}

function resourcesFinding({ world, initialized, prepared }: Facts): Finding {
  const { homes, unplaceable, ready, initialScale, ageMs, deadlineMs } = world;
  if (initialized) return isTrue;
  const why = waitingFor();
  if (ageMs <= deadlineMs) return why;
  const seconds = Math.round(deadlineMs / 1000);
  return failed(
    "ProgressDeadlineExceeded",
    `the revision was not ready within ${String(seconds)} s: ${why.message ?? ""}`,
  );

  function waitingFor(): Finding {
    if (world.resolution.phase !== "resolved") return unknown("Deploying", "the image is not resolved to a digest yet");
    if (homes.nodes.length === 0) {
      const each = homes.refusals.map(({ node, sentence }) => `${node}: ${sentence}`).slice(0, namedMax);
      return unknown("NoNodeFits", [homes.sentence, ...each].join("; "));
    }
    if (prepared.length === 0) return unknown("Preparing", `the image is being prepared on ${homes.nodes.join(", ")}`);
    if (unplaceable !== undefined) return unknown("Unschedulable", unplaceable);
    return unknown("Deploying", `${String(ready)} of ${String(initialScale)} pods are ready`);
  }
}

// A condition is read by people; ten nodes are enough to see what is wrong.
const namedMax = 10;

/** `NO_USABLE_VARIANT` → `NoUsableVariant`: reasons of conditions are words in CamelCase. */
const camelCase = (code: string): string =>
  code
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join("");
