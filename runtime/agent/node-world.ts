import { annotation, type Pod, type Revision, variantWishOf } from "@shallop/sdk/api";
import { type HomeRevision, homeReportText, keyOf } from "./home-revisions.ts";
import type { LocalPod } from "./local-pod.ts";
import { imageOf } from "./manifest.ts";
import type { HomeView, LocalView, RevisionView, World } from "./plan.ts";

/** What this node has written of a pod to the API, and what the API knows of it. */
export interface Report {
  version: number;
  resourceVersion: number;
  seen: boolean;
  knownSinceMs: number;
}

export interface WorldParts {
  readonly node: string;
  readonly nowMs: number;
  /** What the API has; undefined: it is not known yet. */
  readonly pods: readonly Pod[] | undefined;
  readonly revisions: readonly Revision[] | undefined;
  /** The pods that are here. */
  readonly local: readonly LocalPod[];
  readonly reportOf: (pod: LocalPod) => Report;
  readonly homes: readonly HomeRevision[];
}

/** Everything that the loop plans by, as the plan looks at it. */
export const worldOf = ({ node, nowMs, pods, revisions, local, reportOf, homes }: WorldParts): World => ({
  pods,
  revisions: revisions?.map((revision) => revisionView(revision, node)),
  local: local.map((pod) => localView(pod, reportOf(pod), nowMs)),
  homes: homes.map((home) => homeView(home, node)),
});

function localView(pod: LocalPod, report: Report, nowMs: number): LocalView {
  const activatedAt = pod.manifest.annotations[annotation.activatedAt];
  return {
    key: pod.key,
    ...(pod.record.apiUid === undefined ? {} : { apiUid: pod.record.apiUid }),
    origin: pod.record.origin,
    ...(activatedAt === undefined ? {} : { activatedAt }),
    phase: pod.state.phase,
    adjusted: pod.adjusted,
    ready: pod.isReady,
    seen: report.seen,
    knownForMs: nowMs - report.knownSinceMs,
    version: pod.version,
    reportedVersion: report.version,
    reportedResourceVersion: report.resourceVersion,
  };
}

const homeView = (home: HomeRevision, node: string): HomeView => ({
  key: home.key,
  revisionUid: home.revision.metadata.uid,
  reference: imageOf(home.revision) ?? "",
  wish: variantWishOf(home.revision.metadata.annotations),
  phase: home.preparation.phase,
  report: homeReportText(home, node),
});

function revisionView(revision: Revision, node: string): RevisionView {
  const { homeNodes, preparedNodes, failedNodes } = revision.status ?? {};
  const prepared = preparedNodes?.find((entry) => entry.node === node);
  const failed = failedNodes?.find((entry) => entry.node === node);
  return {
    key: keyOf(revision),
    revision,
    isHome: homeNodes?.includes(node) === true,
    reference: imageOf(revision),
    wish: variantWishOf(revision.metadata.annotations),
    reported: JSON.stringify({
      ...(prepared === undefined ? {} : { prepared: { node, variant: prepared.variant, reason: prepared.reason } }),
      ...(failed === undefined ? {} : { failed: { node, code: failed.code, message: failed.message } }),
    }),
  };
}
