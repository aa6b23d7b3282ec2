import type { ContainerUsage, NodeUsage } from "@shallop/sdk/wire";

interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly containers: readonly Pick<ContainerUsage, "cpuNs" | "memoryBytes" | "startedAt">[];
}

/**
 * What a node and its pods use, as a kubelet tells it at `/metrics/resource`, in Prometheus' text: what metrics-server and
 * autoscalers read. Each number with the time at which it was measured. Pure.
 */
export function resourceMetrics({ at, cpuNs, memoryBytes, pods }: NodeUsage): string {
  const timeMs = String(Date.parse(at));
  const podLabels = ({ namespace, name }: NodeUsage["pods"][number]) => ({ namespace, pod: name });
  const levels: readonly (readonly [level: string, samples: readonly Sample[]])[] = [
    [
      "container",
      pods.flatMap((pod) =>
        pod.containers.map((one) => ({ labels: { container: one.name, ...podLabels(pod) }, containers: [one] })),
      ),
    ],
    ["node", [{ labels: {}, containers: [{ cpuNs, memoryBytes }] }]],
    ["pod", pods.map((pod) => ({ labels: podLabels(pod), containers: pod.containers }))],
  ];
  const families = levels.flatMap(([level, samples]) => [
    ...family(`${level}_cpu_usage_seconds_total`, "counter", samples, ({ containers }) =>
      String(containers.reduce((sum, one) => sum + one.cpuNs, 0) / 1e9),
    ),
    ...family(`${level}_memory_working_set_bytes`, "gauge", samples, ({ containers }) =>
      String(containers.reduce((sum, one) => sum + one.memoryBytes, 0)),
    ),
  ]);
  const lines = families.map((line) => (line.startsWith("#") ? line : `${line} ${timeMs}`));
  const started = (levels[0]?.[1] ?? []).filter(({ containers: [one] }) => one?.startedAt !== undefined);
  // When it began is true at any time.
  const starts = family("container_start_time_seconds", "gauge", started, ({ containers: [one] }) =>
    String(Date.parse(one?.startedAt ?? "") / 1000),
  );
  return `${[...lines, ...starts, "# TYPE resource_scrape_error gauge", "resource_scrape_error 0"].join("\n")}\n`;
}

const family = (
  name: string,
  type: string,
  samples: readonly Sample[],
  valueOf: (sample: Sample) => string,
): readonly string[] => [
  `# TYPE ${name} ${type}`,
  ...samples.map((sample) => `${name}${labelText(sample.labels)} ${valueOf(sample)}`),
];

/** Names of pods and containers are those of DNS: there is nothing to escape. */
function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
