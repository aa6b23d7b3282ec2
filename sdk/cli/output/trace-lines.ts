import type { Span } from "../../internal/telemetry/index.ts";
import type { RequestTrace } from "../../wire/control.ts";
import { printable } from "./printable.ts";
import type { Style } from "./style.ts";

const barWidth = 30;

/** A trace as a tree, each span with its time, and where that lies in the whole. */
export function traceLines({ traceId, requestId, spans }: RequestTrace, style: Style): readonly string[] {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const fromMs = Math.min(...spans.map(({ startMs }) => startMs));
  const wholeMs = Math.max(...spans.map(({ endMs }) => endMs)) - fromMs;
  const rows: { readonly name: string; readonly span: Span }[] = [];
  const add = (parent: string | undefined, before: string): void => {
    const isRoot = parent === undefined;
    const children = spans
      .filter(({ parentSpanId = "" }) => (isRoot ? !ids.has(parentSpanId) : parentSpanId === parent))
      .toSorted((one, other) => one.startMs - other.startMs);
    for (const [index, span] of children.entries()) {
      const isLast = index === children.length - 1;
      const branch = isRoot ? "" : isLast ? "└─ " : "├─ ";
      rows.push({ name: printable(`${before}${branch}${nameOf(span)}`), span });
      // A span is its own ancestor only in a trace that somebody has made up.
      if (rows.length <= spans.length) add(span.spanId, isRoot ? "" : `${before}${isLast ? "   " : "│  "}`);
    }
  };
  add(undefined, "");
  const width = Math.max(...rows.map(({ name }) => name.length));
  const lines = rows.map(({ name, span }) => {
    const took = `${(span.endMs - span.startMs).toFixed(2)} ms`.padStart(12);
    const error = span.error === undefined ? "" : style.red(` ${printable(span.error)}`);
    return `${name.padEnd(width)} ${took} ${style.dim(bar(span, fromMs, wholeMs))}${error}`;
  });
  const head = `${style.bold(`request ${printable(requestId)}`)} ${style.dim(`trace ${printable(traceId)}`)}`;
  return [head, ...lines, ""];
}

function nameOf({ name, kind, attributes }: Span): string {
  const text = (key: string): string => String(attributes[key] ?? "");
  if (kind === "server") {
    return `${name} http://${text("server.address")}${text("url.path")} ${text("http.response.status_code")}`;
  }
  return kind === "client" ? `pod ${text("k8s.pod.name")} on ${text("k8s.node.name")}` : name;
}

/** Worked: the second half of a trace is 15 spaces and 15 dashes. */
function bar({ startMs, endMs }: Span, fromMs: number, wholeMs: number): string {
  const at = (ms: number): number => (wholeMs === 0 ? 0 : Math.round(((ms - fromMs) / wholeMs) * barWidth));
  const begin = Math.min(at(startMs), barWidth - 1);
  const length = Math.max(1, at(endMs) - begin);
  return `${" ".repeat(begin)}${"━".repeat(length)}`.padEnd(barWidth);
}
