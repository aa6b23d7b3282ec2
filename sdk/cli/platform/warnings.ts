import { type Event, events, label, pods, revisions, type Service } from "../../api/index.ts";
import type { ApiClient } from "../../client/index.ts";

/** More than this of what went wrong helps nobody. */
const warningsMax = 5;

/** Events about a service and what belongs to it, oldest first. */
export async function eventsOf(client: ApiClient, service: Service): Promise<readonly Event[]> {
  const { namespace = "default", name } = service.metadata;
  const labelSelector = `${label.service}=${name}`;
  const [{ items: all }, { items: ofRevisions }, { items: ofPods }] = await Promise.all([
    client.list(events, { namespace }),
    client.list(revisions, { namespace, labelSelector }),
    client.list(pods, { namespace, labelSelector }),
  ]);
  const names = new Set([name, ...ofRevisions.map(nameOf), ...ofPods.map(nameOf)]);
  // Pods that are gone are known by their revision's name, which theirs begin with.
  const prefixes = ofRevisions.map((revision) => `${revision.metadata.name}-`);
  return all
    .filter(
      ({ involvedObject }) =>
        names.has(involvedObject.name) || prefixes.some((prefix) => involvedObject.name.startsWith(prefix)),
    )
    .toSorted((a, b) => timeOf(a).localeCompare(timeOf(b)));
}

/** What has gone wrong since the newest revision of a service was made: what did before is not why this one is not ready. */
export async function newWarnings(client: ApiClient, service: Service): Promise<readonly string[]> {
  const newest = service.status?.latestCreatedRevisionName;
  const { namespace = "default" } = service.metadata;
  const [all, revision] = await Promise.all([
    eventsOf(client, service),
    newest === undefined ? undefined : client.get(revisions, namespace, newest).catch(() => undefined),
  ]);
  const since = revision?.metadata.creationTimestamp ?? "";
  return all
    .filter((event) => event.type === "Warning" && timeOf(event) >= since)
    .slice(-warningsMax)
    .map((event) => `${event.involvedObject.kind} ${event.involvedObject.name}: ${event.reason}: ${event.message}`);
}

export const timeOf = (event: Event): string =>
  event.lastTimestamp ?? event.firstTimestamp ?? event.metadata.creationTimestamp;

const nameOf = (object: { readonly metadata: { readonly name: string } }): string => object.metadata.name;
