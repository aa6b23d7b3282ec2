import { annotation, label, type Pod, pods, type Revision, revisions, type Service } from "../../api/index.ts";
import type { HttpsClient } from "../../client/index.ts";
import type { Context } from "../context.ts";
import { age, orDash, table } from "../output/table.ts";
import { eventRows } from "./event-rows.ts";
import { limitTable, reuseTable } from "./limit-rows.ts";
import { getService, namespaceOf, readyCondition } from "./services.ts";
import { eventsOf } from "./warnings.ts";

/** Older events are in `shallop events`. */
const eventsShownMax = 15;

export async function describe(
  context: Context,
  client: HttpsClient,
  name: string,
  flags: { readonly namespace?: string; readonly output?: string },
): Promise<void> {
  const namespace = namespaceOf(flags);
  const labelSelector = `${label.service}=${name}`;
  const service = await getService(client, namespace, name);
  const [ofRevisions, ofPods, events] = await Promise.all([
    client.list(revisions, { namespace, labelSelector }),
    client.list(pods, { namespace, labelSelector }),
    eventsOf(client, service),
  ]);
  if (flags.output === "json") {
    return context.print(
      JSON.stringify({ service, revisions: ofRevisions.items, pods: ofPods.items, events }, null, 2),
    );
  }
  head(context, service);
  section(context, "Traffic", ["REVISION", "SHARE", "TAG", "URL"], trafficRows(service));
  section(
    context,
    "Revisions",
    ["NAME", "READY", "IMAGE", "NODE", "VARIANT", "WHY"],
    ofRevisions.items.flatMap(revisionRows),
  );
  const latest = ofRevisions.items.find(({ metadata }) => metadata.name === service.status?.latestReadyRevisionName);
  if (latest !== undefined) {
    section(context, `Limits of ${latest.metadata.name}`, ["LIMIT", "VALUE", "", "BREACH"], limitTable(latest));
    section(context, "Instances of its guest", ["REUSE", "OF WASI 0.2", "OF WASI 0.3", ""], reuseTable(latest));
  }
  section(
    context,
    "Pods",
    ["NAME", "STATUS", "NODE", "VARIANT", "RESTARTS", "AGE"],
    ofPods.items.map((pod) => podRow(context, pod)),
  );
  section(
    context,
    "Events",
    ["AGE", "TYPE", "OBJECT", "REASON", "MESSAGE"],
    eventRows(context, events.slice(-eventsShownMax)),
  );
}

function head(context: Context, service: Service): void {
  const ready = readyCondition(service);
  context.print(`${context.style.bold(service.metadata.name)} in ${service.metadata.namespace ?? "default"}`);
  context.print(`  url    ${orDash(service.status?.url)}`);
  context.print(
    `  ready  ${ready?.status === "True" ? context.style.green("True") : `${orDash(ready?.status)} ${ready?.reason ?? ""} ${ready?.message ?? ""}`}`,
  );
}

function section(
  context: Context,
  title: string,
  header: readonly string[],
  rows: readonly (readonly string[])[],
): void {
  context.print(`\n${context.style.bold(title)}`);
  context.print(rows.length === 0 ? "none" : table(header, rows));
}

const trafficRows = (service: Service): readonly (readonly string[])[] =>
  (service.status?.traffic ?? []).map((target) => [
    orDash(target.revisionName),
    target.percent === undefined ? "-" : `${target.percent}%`,
    orDash(target.tag),
    orDash(target.url),
  ]);

function revisionRows(revision: Revision): readonly (readonly string[])[] {
  const { status } = revision;
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  const image = status?.containerStatuses?.[0]?.imageDigest ?? revision.spec.containers[0]?.image;
  const nodes = [
    ...(status?.preparedNodes ?? []).map(({ node, variant, reason }) => [node, variant, reason]),
    ...(status?.failedNodes ?? []).map(({ node, code, message }) => [node, "-", `${code}: ${message}`]),
  ];
  const rows = nodes.length === 0 ? [["-", "-", ready?.message ?? "-"]] : nodes;
  return rows.map((row, index) =>
    index === 0 ? [revision.metadata.name, orDash(ready?.status), orDash(image), ...row] : ["", "", "", ...row],
  );
}

function podRow(context: Context, pod: Pod): readonly string[] {
  const container = pod.status?.containerStatuses?.[0];
  const waiting = container !== undefined && "waiting" in container.state ? container.state.waiting.reason : undefined;
  const status = pod.metadata.deletionTimestamp === undefined ? (waiting ?? pod.status?.phase) : "Terminating";
  return [
    pod.metadata.name,
    orDash(status),
    orDash(pod.spec.nodeName),
    orDash(pod.metadata.labels?.[label.variant]) +
      (pod.metadata.annotations?.[annotation.activatedAt] === undefined ? "" : " (activated)"),
    String(container?.restartCount ?? 0),
    age(pod.metadata.creationTimestamp, context.clock.wallMs()),
  ];
}
