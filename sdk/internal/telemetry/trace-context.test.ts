import { expect, test } from "vitest";
import { samplerOf } from "./sampler.ts";
import { readTelemetrySettings } from "./settings.ts";
import { formatTraceparent, isSampled, parseTraceparent } from "./trace-context.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";

test("a traceparent goes through unchanged", () => {
  const text = `00-${traceId}-${spanId}-01`;
  const context = parseTraceparent(text);
  expect(context).toEqual({ traceId, spanId, flags: 1 });
  expect(context && isSampled(context)).toBe(true);
  expect(context && formatTraceparent(context)).toBe(text);
});

// W3C Trace Context, 3.2 and 4.3, and the cases of its test suite.
test.each([
  ["", "empty"],
  [`00-${traceId}-${spanId}`, "no flags"],
  [`00-${traceId}-${spanId}-01-extra`, "more than version 00 has"],
  [`00-${traceId}-${spanId}-01-`, "a dash more than version 00 has"],
  [`ff-${traceId}-${spanId}-01`, "the version that is forbidden"],
  [`cc-${traceId}-${spanId}-01x`, "a later version without a dash"],
  [`00-${"0".repeat(32)}-${spanId}-01`, "a trace of zeros"],
  [`00-${traceId}-${"0".repeat(16)}-01`, "a span of zeros"],
  [`00-${traceId.toUpperCase()}-${spanId}-01`, "large letters"],
  [`00-${traceId.slice(1)}-${spanId}-01`, "a short trace"],
  [`00-${traceId}-${spanId}-1`, "short flags"],
  [`00-${traceId}-${spanId}-0g`, "what is no digit"],
  [`00-${traceId}-${spanId}-01,00-${traceId}-${spanId}-01`, "two in one header"],
])("%j is no traceparent: %s", (text) => {
  expect(parseTraceparent(text)).toBeUndefined();
});

test("a later version is read as far as it is known", () => {
  expect(parseTraceparent(`cc-${traceId}-${spanId}-01-what-comes`)).toEqual({ traceId, spanId, flags: 1 });
});

test("a ratio takes its share, the same traces each time; a parent's word goes before it", () => {
  const quarter = samplerOf({ ratio: 0.25, parentBased: true });
  const ids = Array.from({ length: 4_000 }, (_, index) =>
    ((index * 2_654_435_761) % 2 ** 32).toString(16).padStart(8, "0"),
  );
  const taken = ids.filter((digits) => quarter(`${"a".repeat(18)}${digits}aaaaaa`, undefined));
  expect(taken.length).toBeGreaterThan(900);
  expect(taken.length).toBeLessThan(1_100);
  expect(quarter("f".repeat(32), undefined)).toBe(true);
  expect(quarter("f".repeat(32), { traceId, spanId, flags: 0 })).toBe(false);
  expect(quarter(`${"f".repeat(18)}${"0".repeat(14)}`, { traceId, spanId, flags: 1 })).toBe(true);
  expect(samplerOf({ ratio: 0, parentBased: false })("f".repeat(32), { traceId, spanId, flags: 1 })).toBe(false);
  expect(samplerOf({ ratio: 1, parentBased: false })("0".repeat(32), undefined)).toBe(true);
});

const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318" };
const off = { traces: false, metrics: false, logs: false };

test.each([
  [{}, off],
  [endpoint, { traces: true, metrics: true, logs: true }],
  [{ ...endpoint, OTEL_SDK_DISABLED: "TRUE" }, off],
  [
    { ...endpoint, OTEL_LOGS_EXPORTER: "none" },
    { traces: true, metrics: true, logs: false },
  ],
  [{ OTEL_TRACES_EXPORTER: "otlp" }, { ...off, traces: true }],
  [{ OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: "http://127.0.0.1:1/m" }, { ...off, metrics: true }],
  [{ OTEL_EXPORTER_OTLP_PROTOCOL: "http/json", ...endpoint }, { encoding: "json" }],
  [
    { OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.1" },
    { sampler: { ratio: 0.1, parentBased: true } },
  ],
  [{ OTEL_TRACES_SAMPLER: "always_off" }, { sampler: { ratio: 0, parentBased: false } }],
])("the environment %j asks for %j", (environment, settings) => {
  expect(readTelemetrySettings(environment)).toMatchObject({ ...settings, warnings: [] });
});

test.each([
  [{ OTEL_TRACES_EXPORTER: "zipkin" }, "zipkin"],
  [{ OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }, "grpc"],
  [{ OTEL_TRACES_SAMPLER: "sometimes" }, "sometimes"],
  [{ OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "2" }, "2"],
  [{ OTEL_METRIC_EXPORT_INTERVAL: "1m" }, "1m"],
])("what of %j is not understood is said", (environment, word) => {
  expect(readTelemetrySettings(environment).warnings).toEqual([expect.stringContaining(JSON.stringify(word))]);
});
