import type { HistogramPoint, Instrument, Labels, LabelValue, MetricFamily, NumberKind } from "./metrics.ts";

export const prometheusType = "text/plain; version=0.0.4; charset=utf-8";

/**
 * Metrics in Prometheus' text format 0.0.4, with names made of OpenTelemetry's as its specification of the compatibility
 * says: `http.server.request.duration` in `s` is `http_server_request_duration_seconds`, and counters end in `_total`.
 */
export function prometheusText(families: readonly MetricFamily[]): string {
  const lines: string[] = [];
  for (const family of families) {
    const { kind, description } = family;
    const name = prometheusName(family, kind);
    if (description !== "") lines.push(`# HELP ${name} ${escapeHelp(description)}`);
    lines.push(`# TYPE ${name} ${types[kind]}`);
    if (family.kind === "histogram") {
      for (const point of family.points) addHistogram(lines, name, family.bounds, point);
    } else {
      for (const { labels, value } of family.points) lines.push(`${name}${braces(labels)} ${number(value)}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

const types: Readonly<Record<NumberKind | "histogram", string>> = {
  counter: "counter",
  upDown: "gauge",
  gauge: "gauge",
  histogram: "histogram",
};

const unitSuffixes: Readonly<Record<string, string>> = { s: "seconds", ms: "milliseconds", By: "bytes" };

function prometheusName({ name, unit }: Instrument, kind: NumberKind | "histogram"): string {
  const base = name.replaceAll(/[^A-Za-z0-9_]/g, "_");
  const suffix = unit === "1" && kind === "gauge" ? "ratio" : unitSuffixes[unit];
  const withUnit = suffix === undefined || base.endsWith(`_${suffix}`) ? base : `${base}_${suffix}`;
  return kind === "counter" && !withUnit.endsWith("_total") ? `${withUnit}_total` : withUnit;
}

function addHistogram(lines: string[], name: string, bounds: readonly number[], point: HistogramPoint): void {
  let below = 0;
  for (const [index, bound] of bounds.entries()) {
    below += point.counts[index] ?? 0;
    lines.push(`${name}_bucket${braces(point.labels, ["le", bound])} ${below}`);
  }
  lines.push(
    `${name}_bucket${braces(point.labels, ["le", "+Inf"])} ${point.count}`,
    `${name}_sum${braces(point.labels)} ${number(point.sum)}`,
    `${name}_count${braces(point.labels)} ${point.count}`,
  );
}

function braces(labels: Labels, ...more: readonly (readonly [string, LabelValue])[]): string {
  const pairs = [...Object.entries(labels), ...more].map(
    ([name, value]) => `${name.replaceAll(/[^A-Za-z0-9_]/g, "_")}="${escapeValue(String(value))}"`,
  );
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

const escapeValue = (text: string): string =>
  text.replaceAll(/[\\"\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`));

const escapeHelp = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");

function number(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  return String(value);
}
