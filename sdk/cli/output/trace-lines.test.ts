import { expect, test } from "vitest";
import type { Span } from "../../internal/telemetry/index.ts";
import { styleFor } from "./style.ts";
import { traceLines } from "./trace-lines.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const span = (spanId: string, parentSpanId: string | undefined, more: Partial<Span>): Span => ({
  ...{ traceId, spanId, parentSpanId, flags: 1, kind: "internal", name: spanId, startMs: 0, endMs: 10, attributes: {} },
  ...more,
});

test("a trace is a tree with bars, children in order of time", () => {
  const spans = [
    span("b", "a", { name: "pod", startMs: 5 }),
    span("a", "elsewhere", { name: "GET" }),
    span("c", "a", { name: "hold", endMs: 5, error: "late\u001b[31m" }),
    span("d", "c", { name: "activate", startMs: 1, endMs: 4 }),
  ];
  const lines = traceLines({ traceId, requestId: "r", namespace: "n", revision: "v", spans }, styleFor(false));
  expect(lines.slice(1, 5).map((line) => line.replace(/ +[0-9.]+ ms.*/, ""))).toEqual([
    "GET",
    "├─ hold",
    "│  └─ activate",
    "└─ pod",
  ]);
  expect(lines[4]).toContain(`5.00 ms ${" ".repeat(15)}${"━".repeat(15)}`);
  expect(lines.join("\n")).not.toContain("\u001b");
});

test("spans that are each other's parents are no endless tree", () => {
  const spans = [span("a", "b", {}), span("b", "a", {}), span("c", "c", {})];
  expect(traceLines({ traceId, requestId: "r", namespace: "", revision: "", spans }, styleFor(false))).toHaveLength(2);
});
