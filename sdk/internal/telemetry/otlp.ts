import type { HrTime, SpanContext } from "@opentelemetry/api";
import { diag, DiagLogLevel, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, ValueType } from "@opentelemetry/api";
import { SeverityNumber } from "@opentelemetry/api-logs";
import { OTLPExporterBase } from "@opentelemetry/otlp-exporter-base";
import { convertLegacyHttpOptions, createOtlpHttpExportDelegate } from "@opentelemetry/otlp-exporter-base/node-http";
import {
  JsonLogsSerializer,
  JsonMetricsSerializer,
  JsonTraceSerializer,
  LogsExporterMetricsHelper,
  MetricsExporterMetricsHelper,
  ProtobufLogsSerializer,
  ProtobufMetricsSerializer,
  ProtobufTraceSerializer,
  TraceExporterMetricsHelper,
} from "@opentelemetry/otlp-transformer";
import { detectResources, envDetector, type Resource, resourceFromAttributes } from "@opentelemetry/resources";
import { BatchLogRecordProcessor, LoggerProvider, type ReadableLogRecord } from "@opentelemetry/sdk-logs";
import {
  AggregationTemporality,
  DataPointType,
  type MetricData,
  PeriodicExportingMetricReader,
  type ResourceMetrics,
} from "@opentelemetry/sdk-metrics";
import { BatchSpanProcessor, type ReadableSpan } from "@opentelemetry/sdk-trace";
import type { Exported, ExportOptions, LogRecord } from "./export.ts";
import type { MetricFamily } from "./metrics.ts";
import type { Span } from "./span.ts";

/** OpenTelemetry's exporters, fed with what this process measures. Loaded when a process is to export, and only then. */
export function startOtlp(options: ExportOptions): Exported {
  const { settings, service, instance, log } = options;
  const say = (message: string): void => log.local.warn("telemetry was not exported", { reason: message });
  const ignore = (): void => undefined;
  const listener = { error: say, warn: say, info: ignore, debug: ignore, verbose: ignore };
  diag.setLogger(listener, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
  const resource = resourceFromAttributes({ "service.name": service, "service.instance.id": instance }).merge(
    detectResources({ detectors: [envDetector] }),
  );
  const closers: (() => Promise<void>)[] = [];
  if (settings.metrics) closers.push(exportMetrics(options, resource));
  const spans = settings.traces ? new BatchSpanProcessor({ exporter: spanExporter(options) }) : undefined;
  if (spans !== undefined) closers.push(() => spans.shutdown());
  const logs = settings.logs ? logProvider(options, resource) : undefined;
  if (logs !== undefined) closers.push(() => logs.shutdown());
  const logger = logs?.getLogger(scope.name);
  return {
    span: spans === undefined ? undefined : (span) => spans.onEnd(readableSpan(span, resource)),
    log: logger === undefined ? undefined : (record) => logger.emit(logRecord(record)),
    close: async () => {
      // A collector that is away does not keep a process that shall stop.
      await Promise.allSettled(closers.map((close) => close()));
    },
  };
}

const scope = { name: "shallop" };

function delegateOptions({ settings }: ExportOptions, signal: string, path: string) {
  const type = settings.encoding === "json" ? "application/json" : "application/x-protobuf";
  return convertLegacyHttpOptions({}, signal, path, { "Content-Type": type });
}

function spanExporter(options: ExportOptions): OTLPExporterBase<ReadableSpan[]> {
  const serializer = options.settings.encoding === "json" ? JsonTraceSerializer : ProtobufTraceSerializer;
  const where = delegateOptions(options, "TRACES", "v1/traces");
  const helper = TraceExporterMetricsHelper;
  return new OTLPExporterBase(
    createOtlpHttpExportDelegate(where, serializer, "otlp_http_span_exporter", helper, undefined),
  );
}

function exportMetrics(options: ExportOptions, resource: Resource): () => Promise<void> {
  const serializer = options.settings.encoding === "json" ? JsonMetricsSerializer : ProtobufMetricsSerializer;
  const where = delegateOptions(options, "METRICS", "v1/metrics");
  const helper = MetricsExporterMetricsHelper;
  const exporter = new OTLPExporterBase<ResourceMetrics>(
    createOtlpHttpExportDelegate(where, serializer, "otlp_http_metric_exporter", helper, undefined),
  );
  const { metricIntervalMs } = options.settings;
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: metricIntervalMs });
  const startTime = hrTime(options.clock.wallMs());
  reader.setMetricProducer({
    collect: async () => {
      const families = await options.metrics.collect();
      const endTime = hrTime(options.clock.wallMs());
      const metrics = families.map((family) => metricData(family, startTime, endTime));
      return { resourceMetrics: { resource, scopeMetrics: [{ scope, metrics }] }, errors: [] };
    },
  });
  return () => reader.shutdown();
}

function metricData(family: MetricFamily, startTime: HrTime, endTime: HrTime): MetricData {
  const { name, description, unit } = family;
  const base = {
    descriptor: { name, description, unit, valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  };
  if (family.kind === "histogram") {
    const dataPoints = family.points.map(({ labels, counts, sum, count }) => ({
      ...{ startTime, endTime, attributes: labels },
      value: { buckets: { boundaries: [...family.bounds], counts: [...counts] }, sum, count },
    }));
    return { ...base, dataPointType: DataPointType.HISTOGRAM, dataPoints };
  }
  const dataPoints = family.points.map(({ labels, value }) => ({ startTime, endTime, attributes: labels, value }));
  if (family.kind === "gauge") return { ...base, dataPointType: DataPointType.GAUGE, dataPoints };
  return { ...base, dataPointType: DataPointType.SUM, isMonotonic: family.kind === "counter", dataPoints };
}

const kinds = { internal: SpanKind.INTERNAL, server: SpanKind.SERVER, client: SpanKind.CLIENT } as const;

function readableSpan(span: Span, resource: Resource): ReadableSpan {
  const context = spanContext(span);
  return {
    name: span.name,
    kind: kinds[span.kind],
    spanContext: () => context,
    ...(span.parentSpanId === undefined ? {} : { parentSpanContext: { ...context, spanId: span.parentSpanId } }),
    startTime: hrTime(span.startMs),
    endTime: hrTime(span.endMs),
    status:
      span.error === undefined ? { code: SpanStatusCode.UNSET } : { code: SpanStatusCode.ERROR, message: span.error },
    attributes: span.attributes,
    links: [],
    events: [],
    duration: hrTime(span.endMs - span.startMs),
    ended: true,
    resource,
    instrumentationScope: scope,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

function logProvider(options: ExportOptions, resource: Resource): LoggerProvider {
  const serializer = options.settings.encoding === "json" ? JsonLogsSerializer : ProtobufLogsSerializer;
  const where = delegateOptions(options, "LOGS", "v1/logs");
  const helper = LogsExporterMetricsHelper;
  const exporter = new OTLPExporterBase<ReadableLogRecord[]>(
    createOtlpHttpExportDelegate(where, serializer, "otlp_http_log_exporter", helper, undefined),
  );
  return new LoggerProvider({ resource, processors: [new BatchLogRecordProcessor({ exporter })] });
}

const severities = {
  debug: SeverityNumber.DEBUG,
  info: SeverityNumber.INFO,
  warn: SeverityNumber.WARN,
  error: SeverityNumber.ERROR,
} as const;

function logRecord({ atMs, level, body, attributes, trace: parent }: LogRecord) {
  return {
    timestamp: hrTime(atMs),
    severityNumber: severities[level],
    severityText: level.toUpperCase(),
    body,
    attributes: { ...attributes },
    ...(parent === undefined ? {} : { context: trace.setSpanContext(ROOT_CONTEXT, spanContext(parent)) }),
  };
}

const spanContext = ({ traceId, spanId, flags }: Omit<SpanContext, "traceFlags"> & { flags: number }): SpanContext => ({
  ...{ traceId, spanId, traceFlags: flags },
});

/** Worked: 1500.25 ms are 1 s and 500,250,000 ns. */
function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)];
}
