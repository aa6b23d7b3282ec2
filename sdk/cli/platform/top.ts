import { type Json, label, listAt, parseQuantity, textAt } from "../../api/index.ts";
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

/** A function's revision: what goes through it, and what its pods use together. */
type FunctionRow = RevisionRate & Pick<UsageRow, "cpu" | "memoryBytes"> & { readonly pods: number };

export type TopRow = FunctionRow | UsageRow;

/** What is busy now, the busiest first. `namespace`: undefined is all. */
export async function topRows(
  client: RawClient,
  subject: Subject,
  namespace: string | undefined,
): Promise<readonly TopRow[]> {
  if (subject === "functions") return functionRows(client, namespace);
  const rows = (await measured(client, subject, namespace)).map(subject === "nodes" ? nodeRow : podRow);
  return rows.toSorted((one, other) => other.cpu - one.cpu);
}

async function measured(
  client: RawClient,
  subject: "pods" | "nodes",
  namespace: string | undefined,
): Promise<readonly Json[]> {
  const scope = namespace === undefined || subject === "nodes" ? "" : `namespaces/${encodeURIComponent(namespace)}/`;
  const answer = await client.request("GET", `/apis/metrics.k8s.io/v1beta1/${scope}${subject}`);
  return listAt(answer as Json | undefined, "items");
}

/** Those with requests, the busiest first, and behind them those that have pods and none. */
async function functionRows(client: RawClient, namespace: string | undefined): Promise<readonly FunctionRow[]> {
  const [rates, items] = await Promise.all([requestRates(client, namespace), measured(client, "pods", namespace)]);
  const rowByRevision = new Map<string, FunctionRow>();
  const key = (of: { readonly namespace: string; readonly revision: string }): string =>
    `${of.namespace}/${of.revision}`;
  for (const rate of rates) rowByRevision.set(key(rate), { ...rate, ...unused });
  for (const item of items) {
    const revision = textAt(item, "metadata", "labels", label.revision);
    if (revision === undefined) continue;
    const { cpu, memoryBytes, namespace: space } = podRow(item);
    const row = rowByRevision.get(`${space}/${revision}`) ?? { ...silent, ...unused, namespace: space, revision };
    const used = { cpu: row.cpu + cpu, memoryBytes: row.memoryBytes + memoryBytes, pods: row.pods + 1 };
    rowByRevision.set(key(row), { ...row, ...used });
  }
  return [...rowByRevision.values()].toSorted(
    (one, other) => other.requestsPerSecond - one.requestsPerSecond || other.cpu - one.cpu,
  );
}

const unused = { cpu: 0, memoryBytes: 0, pods: 0 };
const silent = { requestsPerSecond: 0, failuresPerSecond: 0, concurrency: 0, waiting: 0, p50Ms: 0, p99Ms: 0 };

export function topTable(subject: Subject, rows: readonly TopRow[]): string {
  if (rows.length === 0) return nothingOf[subject];
  if (subject === "functions") {
    const header = [
      "NAMESPACE",
      "REVISION",
      "REQ/S",
      "5XX/S",
      "P50",
      "P99",
      "AT ONCE",
      "WAITING",
      "PODS",
      "CPU",
      "MEMORY",
    ];
    return table(header, rows.filter((row) => "revision" in row).map(functionCells));
  }
  const usages = rows.filter((row) => "name" in row);
  const cells = usages.map(({ namespace, name, cpu, memoryBytes }) => [
    ...(subject === "pods" ? [namespace] : []),
    name,
    ...usageCells({ cpu, memoryBytes }),
  ]);
  return table([...(subject === "pods" ? ["NAMESPACE"] : []), "NAME", "CPU", "MEMORY"], cells);
}

/** Other namespaces may have some. */
const nothingOf: Readonly<Record<Subject, string>> = {
  functions: "no function has pods or requests here now; one at zero has neither (-A looks in every namespace)",
  pods: "no pod runs here now (-A looks in every namespace)",
  nodes: "no node has said yet what it uses",
};

const usageCells = ({ cpu, memoryBytes }: Pick<UsageRow, "cpu" | "memoryBytes">): readonly string[] => [
  `${Math.round(cpu * 1000)}m`,
  bytes(memoryBytes),
];

const functionCells = (rate: FunctionRow): readonly string[] => [
  rate.namespace,
  rate.revision,
  rate.requestsPerSecond.toFixed(1),
  rate.failuresPerSecond.toFixed(1),
  `${rate.p50Ms.toFixed(1)} ms`,
  `${rate.p99Ms.toFixed(1)} ms`,
  rate.concurrency.toFixed(1),
  String(rate.waiting),
  String(rate.pods),
  ...usageCells(rate),
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
