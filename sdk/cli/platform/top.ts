import { type Json, listAt, parseQuantity, textAt } from "../../api/index.ts";
import { type RawClient, requestRates } from "../../client/index.ts";
import type { RevisionRate } from "../../wire/control.ts";
import { bytes, table } from "../output/table.ts";

type Subject = "functions" | "pods" | "nodes";

/** What a pod or a node uses. */
interface UsageRow {
  readonly namespace: string;
  readonly name: string;
  /** Processors. */
  readonly cpu: number;
  readonly memoryBytes: number;
}

export type TopRow = RevisionRate | UsageRow;

/** What is busy now, the busiest first. `namespace`: undefined is all. */
export async function topRows(
  client: RawClient,
  subject: Subject,
  namespace: string | undefined,
): Promise<readonly TopRow[]> {
  if (subject === "functions") return requestRates(client, namespace);
  const scope = namespace === undefined || subject === "nodes" ? "" : `namespaces/${encodeURIComponent(namespace)}/`;
  const answer = await client.request("GET", `/apis/metrics.k8s.io/v1beta1/${scope}${subject}`);
  const rows = listAt(answer as Json | undefined, "items").map(subject === "nodes" ? nodeRow : podRow);
  return rows.toSorted((one, other) => other.cpu - one.cpu);
}

export function topTable(subject: Subject, rows: readonly TopRow[]): string {
  if (subject === "functions") {
    const header = ["NAMESPACE", "REVISION", "REQ/S", "5XX/S", "P50", "P99", "AT ONCE", "WAITING"];
    return table(header, rows.filter((row) => "revision" in row).map(rateCells));
  }
  const usages = rows.filter((row) => "cpu" in row);
  const cells = usages.map(({ namespace, name, cpu, memoryBytes }) => [
    ...(subject === "pods" ? [namespace] : []),
    name,
    `${Math.round(cpu * 1000)}m`,
    bytes(memoryBytes),
  ]);
  return table([...(subject === "pods" ? ["NAMESPACE"] : []), "NAME", "CPU", "MEMORY"], cells);
}

const rateCells = (rate: RevisionRate): readonly string[] => [
  rate.namespace,
  rate.revision,
  rate.requestsPerSecond.toFixed(1),
  rate.failuresPerSecond.toFixed(1),
  `${rate.p50Ms.toFixed(1)} ms`,
  `${rate.p99Ms.toFixed(1)} ms`,
  rate.concurrency.toFixed(1),
  String(rate.waiting),
];

const nameOf = (item: Json) => ({
  namespace: textAt(item, "metadata", "namespace") ?? "",
  name: textAt(item, "metadata", "name") ?? "",
});

const nodeRow = (item: Json): UsageRow => ({ ...nameOf(item), ...usageOf(item) });

function podRow(item: Json): UsageRow {
  const used = listAt(item, "containers").map(usageOf);
  const sum = (of: (one: ReturnType<typeof usageOf>) => number): number => used.reduce((all, one) => all + of(one), 0);
  return { ...nameOf(item), cpu: sum(({ cpu }) => cpu), memoryBytes: sum(({ memoryBytes }) => memoryBytes) };
}

const usageOf = (item: Json) => ({
  cpu: parseQuantity(textAt(item, "usage", "cpu") ?? "") ?? 0,
  memoryBytes: parseQuantity(textAt(item, "usage", "memory") ?? "") ?? 0,
});
