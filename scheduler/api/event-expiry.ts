import { ApiFault, events, kindOf, textAt } from "@shallop/sdk/api";
import { assert, type Timer } from "@shallop/sdk/internal";
import type { Machinery } from "./machinery.ts";

/** apiserver's --event-ttl. Events are for people who look now; the store must not grow with them. */
const eventAgeMsMax = 3600_000;
const sweepIntervalMs = 60_000;

/** Deletes events an hour after they last occurred. Stops when the timer is cancelled. */
export function expireEvents(machinery: Machinery): Timer {
  let running: Promise<void> | undefined;
  return machinery.clock.every(sweepIntervalMs, () => {
    running ??= sweepEvents(machinery)
      .catch((error: unknown) => machinery.log.error("old events could not be deleted", error))
      .finally(() => (running = undefined));
  });
}

/** One round. Resolves when all that is too old is gone. */
export async function sweepEvents(machinery: Machinery): Promise<void> {
  const kind = kindOf(events);
  assert(kind !== undefined, "events are served");
  const { objects, clock } = machinery;
  const oldestMs = clock.wallMs() - eventAgeMsMax;
  const deletions = objects.store.list(objects.prefix(kind)).entries.map(async (entry) => {
    const event = objects.parse(entry);
    const time = textAt(event, "lastTimestamp") ?? textAt(event, "metadata", "creationTimestamp") ?? "";
    if (Date.parse(time) > oldestMs) return;
    try {
      await objects.delete(entry.key, event);
    } catch (error) {
      // It occurred again meanwhile.
      if (!(error instanceof ApiFault) || error.code !== "Conflict") throw error;
    }
  });
  await Promise.all(deletions);
}
