import { annotation, type Configuration, label, type Revision } from "@shallop/sdk/api";

const hourMs = 3_600_000;

/** knative/serving config-gc: what is kept, for people who want to go back. */
export const collectRules = {
  /** `retain-since-create-time`. */
  createdMsMin: 48 * hourMs,
  /** `retain-since-last-active-time`. */
  activeMsMin: 15 * hourMs,
  /** `min-non-active-revisions`: so many stay whatever their age. */
  idleMin: 20,
  /** `max-non-active-revisions`: more than so many go whatever their age. */
  idleMax: 1000,
} as const;

/**
 * Revisions of a configuration that may go (knative/serving pkg/reconciler/gc). One that a route names, the latest ones,
 * and those marked `no-gc` stay for ever.
 */
export function planCollection(
  configuration: Configuration,
  revisions: readonly Revision[],
  wallMs: number,
): readonly Revision[] {
  const idle = revisions
    .filter((revision) => isCollectable(configuration, revision))
    .sort((a, b) => lastActiveMs(a) - lastActiveMs(b) || (a.metadata.name < b.metadata.name ? -1 : 1));
  const mayGo = idle.slice(0, Math.max(0, idle.length - collectRules.idleMin));
  const stale = mayGo.filter((revision) => isStale(revision, wallMs));
  const others = idle.filter((revision) => !stale.includes(revision));
  return [...stale, ...others.slice(0, Math.max(0, others.length - collectRules.idleMax))];
}

function isCollectable({ status }: Configuration, { metadata }: Revision): boolean {
  const isLatest =
    metadata.name === status?.latestReadyRevisionName || metadata.name === status?.latestCreatedRevisionName;
  return (
    !isLatest &&
    metadata.deletionTimestamp === undefined &&
    metadata.labels?.[label.routingState] !== "active" &&
    metadata.annotations?.[annotation.noGc] !== "true"
  );
}

const timeMs = (text: string | undefined): number => {
  const parsed = Date.parse(text ?? "");
  return Number.isNaN(parsed) ? 0 : parsed;
};
const lastActiveMs = ({ metadata }: Revision): number =>
  timeMs(metadata.annotations?.[annotation.routingStateModified]) || timeMs(metadata.creationTimestamp);

const isStale = (revision: Revision, wallMs: number): boolean =>
  timeMs(revision.metadata.creationTimestamp) + collectRules.createdMsMin < wallMs &&
  lastActiveMs(revision) + collectRules.activeMsMin < wallMs;
