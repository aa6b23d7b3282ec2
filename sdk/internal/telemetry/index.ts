export { type Exported, type ExportOptions, type LogRecord, startExport } from "./export.ts";
export {
  type Buckets,
  type Counter,
  durationBounds,
  type Family,
  type MetricFamily,
  Metrics,
  type NumberPoint,
} from "./metrics.ts";
export { addProcessMetrics } from "./process-metrics.ts";
export { prometheusText, prometheusType } from "./prometheus.ts";
export { type Sampler, samplerOf } from "./sampler.ts";
export { readTelemetrySettings, type SamplerSettings, type TelemetrySettings } from "./settings.ts";
export type { Span, SpanKind } from "./span.ts";
export { formatTraceparent, isSampled, parseTraceparent, type TraceContext } from "./trace-context.ts";
