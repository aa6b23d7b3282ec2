import { type Clock, type Log, silentLog } from "@shallop/sdk/internal";
import type { Store } from "./store.ts";

// As kube-apiserver compacts etcd (`--etcd-compaction-interval`): whoever lost its watch, or reads a long list page by
// page, has at least this long to go on from where it was.
const compactEveryMs = 5 * 60_000;
// As kine: a quiet cluster keeps more than five minutes, so that a node that was away for an hour resumes its watches.
const revisionsKept = 1000;

/**
 * Compacts `store` each five minutes, up to where it was five minutes before, and never the newest thousand revisions.
 * A compaction that fails is logged; the next one makes up for it.
 */
export function compactRegularly(store: Store, clock: Clock, log: Log = silentLog): { stop(): void } {
  let headBefore = store.head();
  const timer = clock.every(compactEveryMs, () => {
    const target = Math.min(headBefore, store.head() - revisionsKept);
    headBefore = store.head();
    if (target <= 0) return;
    store.compact(target).catch((error: unknown) => log.error("the store could not be compacted", error));
  });
  return { stop: () => timer.cancel() };
}
