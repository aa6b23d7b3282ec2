import { annotation, type Condition, type Pod, type Revision } from "@shallop/sdk/api";
import { adjustmentOf, adjustmentText } from "./adjustment.ts";
import { manifestOf } from "./manifest.ts";

/** What the loop knows of a pod of this node. */
export interface LocalView {
  /** `namespace/name`. */
  readonly key: string;
  readonly apiUid?: string;
  readonly origin: "bound" | "activation";
  readonly activatedAt?: string;
  readonly phase: string;
  /** What of it can be other while it runs, as it is now. */
  readonly adjusted: string;
  /** What the API shall say of its readiness. */
  readonly ready: boolean;
  /** The API's list has had it, at some time. */
  readonly seen: boolean;
  /** Time since the API gave it its uid. */
  readonly knownForMs: number;
  /** Counter of its states, and the one that the API was told last. */
  readonly version: number;
  readonly reportedVersion: number;
  /** Version of the object that the last report made; a list that is older says nothing about it. */
  readonly reportedResourceVersion: number;
}

/** What the loop knows of a revision that this node keeps prepared. */
export interface HomeView {
  readonly key: string;
  readonly revisionUid: string;
  readonly reference: string;
  readonly wish: string;
  readonly phase: "preparing" | "prepared" | "failed";
  /** What the revision's status shall say of this node; as text, to compare. Undefined: nothing yet. */
  readonly report: string | undefined;
}

/** A revision as the API has it. */
export interface RevisionView {
  readonly key: string;
  readonly revision: Revision;
  readonly isHome: boolean;
  readonly reference: string | undefined;
  readonly wish: string;
  /** What its status says of this node. */
  readonly reported: string;
}

export interface World {
  /** Undefined: not known yet; nothing follows from absence. */
  readonly pods: readonly Pod[] | undefined;
  readonly revisions: readonly RevisionView[] | undefined;
  readonly local: readonly LocalView[];
  readonly homes: readonly HomeView[];
}

export type Action =
  | { readonly kind: "start"; readonly key: string; readonly pod: Pod }
  | { readonly kind: "stop"; readonly key: string; readonly graceMs: number }
  /** The API has the pod that an activation made: this is its uid. */
  | { readonly kind: "claim"; readonly key: string; readonly apiUid: string }
  /** The API does not know this pod yet. */
  | { readonly kind: "record"; readonly key: string }
  /** Somebody else's pod has the name. */
  | { readonly kind: "yield"; readonly key: string }
  /** It is to be other while it runs. */
  | { readonly kind: "adjust"; readonly key: string; readonly pod: Pod }
  | { readonly kind: "report"; readonly key: string; readonly pod: Pod }
  /** Stopped here: the API may let it go. */
  | { readonly kind: "finalize"; readonly key: string; readonly pod: Pod }
  /** Gone from the API's list, or never in it: ask. */
  | { readonly kind: "verify"; readonly key: string }
  | { readonly kind: "forget"; readonly key: string }
  | { readonly kind: "prepare"; readonly key: string; readonly revision: Revision }
  | { readonly kind: "report-home"; readonly key: string; readonly revision: Revision }
  | { readonly kind: "leave-home"; readonly key: string };

/** A list that has not shown a new pod for this long will not: it came and went between two looks. */
export const unseenMsMax = 30_000;

const keyOfPod = (pod: Pod): string => `${pod.metadata.namespace ?? "default"}/${pod.metadata.name}`;
const isTerminal = (pod: Pod): boolean => pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";

/** What to do now, so that this node comes nearer to what the API asks of it. Same world, same list, in order of key. */
export function planNode(world: World): Action[] {
  const actions = [...planPods(world), ...planHomes(world)];
  return actions.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
}

function planPods({ pods, local }: World): Action[] {
  if (pods === undefined) return [];
  const podsByKey = new Map(pods.map((pod) => [keyOfPod(pod), pod]));
  const known = new Set(local.map(({ key }) => key));
  const actions: Action[] = [];
  for (const view of local) actions.push(...planKnown(view, podsByKey.get(view.key)));
  for (const [key, pod] of podsByKey) {
    if (known.has(key)) continue;
    // Nothing runs here under this name, so nothing keeps the API from letting it go.
    if (pod.metadata.deletionTimestamp !== undefined) actions.push({ kind: "finalize", key, pod });
    else if (!isTerminal(pod)) actions.push({ kind: "start", key, pod });
  }
  return actions;
}

function planKnown(view: LocalView, pod: Pod | undefined): Action[] {
  const { key } = view;
  const over = view.phase === "ended";
  if (view.apiUid === undefined) return planUnrecorded(view, pod);
  if (pod === undefined || pod.metadata.uid !== view.apiUid) {
    if (!view.seen) return view.knownForMs > unseenMsMax ? [{ kind: "verify", key }] : [];
    // Deleted without grace, or deleted and made anew: what runs is not wanted; the new one starts when this is gone.
    if (over) return [{ kind: "forget", key }];
    return [{ kind: "stop", key, graceMs: 0 }];
  }
  if (pod.metadata.deletionTimestamp !== undefined) {
    if (over) return [{ kind: "finalize", key, pod }];
    const graceMs = (pod.metadata.deletionGracePeriodSeconds ?? 30) * 1000;
    // Said again while it drains: a later deletion may have shortened the grace.
    return [{ kind: "stop", key, graceMs }, ...planReport(view, pod)];
  }
  const isOther = view.phase === "ready" && adjustmentText(adjustmentOf(manifestOf(pod))) !== view.adjusted;
  return [...(isOther ? [{ kind: "adjust", key, pod } as const] : []), ...planReport(view, pod)];
}

function planUnrecorded(view: LocalView, pod: Pod | undefined): Action[] {
  const { key } = view;
  if (view.phase === "ended") return [{ kind: "forget", key }];
  if (pod === undefined) return view.phase === "draining" ? [] : [{ kind: "record", key }];
  const ours =
    view.activatedAt !== undefined && pod.metadata.annotations?.[annotation.activatedAt] === view.activatedAt;
  return ours ? [{ kind: "claim", key, apiUid: pod.metadata.uid }] : [{ kind: "yield", key }];
}

function planReport(view: LocalView, pod: Pod): Action[] {
  const report: Action = { kind: "report", key: view.key, pod };
  if (view.reportedVersion !== view.version) return [report];
  // Told already. Unless somebody has written something else since, as a control plane that had lost the node does.
  if (Number(pod.metadata.resourceVersion) < view.reportedResourceVersion) return [];
  const says = readyOf(pod.status?.conditions);
  return says === (view.ready ? "True" : "False") ? [] : [report];
}

const readyOf = (conditions: readonly Condition[] | undefined): string =>
  conditions?.find(({ type }) => type === "Ready")?.status ?? "Unknown";

function planHomes({ revisions, homes }: World): Action[] {
  if (revisions === undefined) return [];
  const homesByKey = new Map(homes.map((home) => [home.key, home]));
  const wanted = new Set<string>();
  const actions: Action[] = [];
  for (const view of revisions) {
    const { key, revision, reference } = view;
    const home = homesByKey.get(key);
    if (!view.isHome || revision.metadata.deletionTimestamp !== undefined) {
      // No longer said to be prepared here first, forgotten then.
      if (view.reported !== noReport) actions.push({ kind: "report-home", key, revision });
      continue;
    }
    wanted.add(key);
    const current =
      home !== undefined &&
      home.revisionUid === revision.metadata.uid &&
      home.reference === reference &&
      home.wish === view.wish;
    if (reference !== undefined && (!current || home.phase !== "prepared")) {
      actions.push({ kind: "prepare", key, revision });
    }
    if (current && home.report !== undefined && home.report !== view.reported) {
      actions.push({ kind: "report-home", key, revision });
    }
  }
  for (const { key } of homes) if (!wanted.has(key)) actions.push({ kind: "leave-home", key });
  return actions;
}

/** `reported` of a revision whose status does not name this node. */
export const noReport = "{}";
