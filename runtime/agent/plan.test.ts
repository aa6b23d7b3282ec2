import { annotation, type Pod, type Revision } from "@shallop/sdk/api";
import { expect, test } from "vitest";
import {
  type Action,
  type HomeView,
  type LocalView,
  noReport,
  planNode,
  type RevisionView,
  unseenMsMax,
  type World,
} from "./plan.ts";
import { adjustmentOf, adjustmentText } from "./adjustment.ts";

const apiPod = (
  options: {
    readonly uid?: string;
    readonly deletingS?: number;
    readonly phase?: "Failed" | "Succeeded";
    readonly ready?: "True" | "False" | "Unknown";
    readonly activatedAt?: string;
    readonly version?: number;
  } = {},
): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: "a",
    namespace: "ns",
    uid: options.uid ?? "u1",
    resourceVersion: String(options.version ?? 10),
    generation: 1,
    creationTimestamp: "",
    ...(options.deletingS === undefined
      ? {}
      : { deletionTimestamp: "2026-01-01T00:00:00Z", deletionGracePeriodSeconds: options.deletingS }),
    ...(options.activatedAt === undefined ? {} : { annotations: { [annotation.activatedAt]: options.activatedAt } }),
  },
  spec: { containers: [{ image: "i" }], nodeName: "n1" },
  status: {
    phase: options.phase ?? "Running",
    conditions: [{ type: "Ready", status: options.ready ?? "True" }],
  },
});

const local = (options: Partial<LocalView> = {}): LocalView => ({
  key: "ns/a",
  apiUid: "u1",
  origin: "bound",
  phase: "ready",
  adjusted: adjustmentText(
    adjustmentOf({ namespace: "ns", name: "a", annotations: {}, spec: { containers: [{ image: "i" }] } }),
  ),
  ready: (options.phase ?? "ready") === "ready",
  seen: true,
  knownForMs: 0,
  version: 3,
  reportedVersion: 3,
  reportedResourceVersion: 10,
  ...options,
});
const { apiUid: _, ...unrecorded } = local({ origin: "activation", activatedAt: "t1", seen: false });

const brief = (action: Action): string => {
  if (action.kind === "stop") return `stop ${action.key} ${String(action.graceMs)}`;
  if (action.kind === "claim") return `claim ${action.key} ${action.apiUid}`;
  return `${action.kind} ${action.key}`;
};
const plan = (world: Partial<World>): string[] =>
  planNode({ pods: [], revisions: [], local: [], homes: [], ...world }).map(brief);

const podCases: { name: string; pods: Pod[] | undefined; local: LocalView[]; actions: string[] }[] = [
  { name: "nothing to do", pods: [], local: [], actions: [] },
  {
    name: "changes what its object wants otherwise while it runs",
    pods: [apiPod()],
    local: [local({ adjusted: "other" })],
    actions: ["adjust ns/a"],
  },
  {
    name: "and not before it runs",
    pods: [apiPod({ ready: "False" })],
    local: [local({ adjusted: "other", phase: "starting" })],
    actions: [],
  },
  { name: "starts what is bound and not here", pods: [apiPod()], local: [], actions: ["start ns/a"] },
  { name: "does not start what has ended", pods: [apiPod({ phase: "Failed" })], local: [], actions: [] },
  { name: "leaves alone what is as it should be", pods: [apiPod()], local: [local()], actions: [] },
  {
    name: "lets go of a deleted pod that is not here",
    pods: [apiPod({ deletingS: 30 })],
    local: [],
    actions: ["finalize ns/a"],
  },
  {
    name: "stops with the grace of the deletion",
    pods: [apiPod({ deletingS: 7 })],
    local: [local()],
    actions: ["stop ns/a 7000"],
  },
  {
    name: "tells that it drains",
    pods: [apiPod({ deletingS: 7 })],
    local: [local({ phase: "draining", version: 4 })],
    actions: ["stop ns/a 7000", "report ns/a"],
  },
  {
    name: "finalizes once it has ended",
    pods: [apiPod({ deletingS: 7 })],
    local: [local({ phase: "ended" })],
    actions: ["finalize ns/a"],
  },
  {
    name: "forgets what has ended and is gone",
    pods: [],
    local: [local({ phase: "ended" })],
    actions: ["forget ns/a"],
  },
  { name: "stops what was deleted without grace", pods: [], local: [local()], actions: ["stop ns/a 0"] },
  {
    name: "stops the old before the new of the same name",
    pods: [apiPod({ uid: "u2" })],
    local: [local()],
    actions: ["stop ns/a 0"],
  },
  {
    name: "forgets the old, then starts the new",
    pods: [apiPod({ uid: "u2" })],
    local: [local({ phase: "ended" })],
    actions: ["forget ns/a"],
  },
  { name: "reports a new state", pods: [apiPod()], local: [local({ version: 4 })], actions: ["report ns/a"] },
  {
    name: "corrects what somebody else wrote later",
    pods: [apiPod({ ready: "Unknown", version: 11 })],
    local: [local()],
    actions: ["report ns/a"],
  },
  {
    name: "does not fight a list that is older than its report",
    pods: [apiPod({ ready: "False", version: 9 })],
    local: [local()],
    actions: [],
  },
  { name: "records an activated pod", pods: [], local: [unrecorded], actions: ["record ns/a"] },
  {
    name: "claims the object of a creation whose answer was lost",
    pods: [apiPod({ uid: "u9", activatedAt: "t1" })],
    local: [unrecorded],
    actions: ["claim ns/a u9"],
  },
  {
    name: "yields a name that is another's",
    pods: [apiPod({ uid: "u9" })],
    local: [unrecorded],
    actions: ["yield ns/a"],
  },
  {
    name: "does not record what is on its way out",
    pods: [],
    local: [{ ...unrecorded, phase: "draining" }],
    actions: [],
  },
  {
    name: "forgets an activated pod that ended unrecorded",
    pods: [],
    local: [{ ...unrecorded, phase: "ended" }],
    actions: ["forget ns/a"],
  },
  { name: "waits for a list that is older than the recording", pods: [], local: [local({ seen: false })], actions: [] },
  {
    name: "asks when the list never shows it",
    pods: [],
    local: [local({ seen: false, knownForMs: unseenMsMax + 1 })],
    actions: ["verify ns/a"],
  },
  { name: "concludes nothing before the first list", pods: undefined, local: [local(), unrecorded], actions: [] },
];

test.each(podCases)("planNode, pods: $name", ({ pods, local, actions }) => {
  expect(plan({ pods, local })).toEqual(actions);
});

const revision: Revision = {
  apiVersion: "serving.knative.dev/v1",
  kind: "Revision",
  metadata: { name: "r", namespace: "ns", uid: "ru", resourceVersion: "1", generation: 1, creationTimestamp: "" },
  spec: { containers: [{ image: "i" }] },
};
const deleted: Revision = { ...revision, metadata: { ...revision.metadata, deletionTimestamp: "now" } };
const view = (options: Partial<RevisionView> = {}): RevisionView => ({
  key: "ns/r",
  revision,
  isHome: true,
  reference: "reg/i@sha256:1",
  wish: "any",
  reported: noReport,
  ...options,
});
const home = (options: Partial<HomeView> = {}): HomeView => ({
  key: "ns/r",
  revisionUid: "ru",
  reference: "reg/i@sha256:1",
  wish: "any",
  phase: "prepared",
  report: '{"prepared":1}',
  ...options,
});

const homeCases: { name: string; revisions: RevisionView[] | undefined; homes: HomeView[]; actions: string[] }[] = [
  { name: "another's home", revisions: [view({ isHome: false })], homes: [], actions: [] },
  { name: "prepares what it is a home of", revisions: [view()], homes: [], actions: ["prepare ns/r"] },
  { name: "waits for the digest", revisions: [view({ reference: undefined })], homes: [], actions: [] },
  {
    name: "goes on preparing",
    revisions: [view()],
    homes: [home({ phase: "preparing", report: undefined })],
    actions: ["prepare ns/r"],
  },
  { name: "tells that it is prepared", revisions: [view()], homes: [home()], actions: ["report-home ns/r"] },
  { name: "is done", revisions: [view({ reported: '{"prepared":1}' })], homes: [home()], actions: [] },
  {
    name: "tells a failure, and tries again",
    revisions: [view()],
    homes: [home({ phase: "failed", report: '{"failed":1}' })],
    actions: ["prepare ns/r", "report-home ns/r"],
  },
  {
    name: "prepares again when the wish is another",
    revisions: [view({ wish: "native" })],
    homes: [home()],
    actions: ["prepare ns/r"],
  },
  {
    name: "prepares again for a revision made anew",
    revisions: [view()],
    homes: [home({ revisionUid: "old" })],
    actions: ["prepare ns/r"],
  },
  {
    name: "takes its word back when it is no home any more",
    revisions: [view({ isHome: false, reported: '{"prepared":1}' })],
    homes: [home()],
    actions: ["report-home ns/r", "leave-home ns/r"],
  },
  {
    name: "leaves what is being deleted",
    revisions: [view({ revision: deleted })],
    homes: [home()],
    actions: ["leave-home ns/r"],
  },
  { name: "leaves what is gone", revisions: [], homes: [home()], actions: ["leave-home ns/r"] },
  { name: "concludes nothing before the first list", revisions: undefined, homes: [home()], actions: [] },
];

test.each(homeCases)("planNode, homes: $name", ({ revisions, homes, actions }) => {
  expect(plan({ revisions, homes })).toEqual(actions);
});

test("the plan is in order of key, whatever the order of the lists", () => {
  const pods = ["c", "a", "b"].map((name) => ({ ...apiPod(), metadata: { ...apiPod().metadata, name } }));
  expect(plan({ pods })).toEqual(["start ns/a", "start ns/b", "start ns/c"]);
});
