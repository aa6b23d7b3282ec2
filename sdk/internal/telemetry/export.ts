import type { Clock } from "../clock.ts";
import type { LogFields, ProcessLog, ProcessRecord } from "../log.ts";
import type { Metrics } from "./metrics.ts";
import type { TelemetrySettings } from "./settings.ts";
import type { Span } from "./span.ts";
import type { TraceContext } from "./trace-context.ts";

/** A line of a log. */
export interface LogRecord {
  /** Of the wall clock. */
  readonly atMs: number;
  readonly level: "debug" | "info" | "warn" | "error";
  readonly body: string;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  /** The request during which it was written. */
  readonly trace?: TraceContext | undefined;
}

export interface ExportOptions {
  readonly settings: TelemetrySettings;
  readonly clock: Clock;
  /** Of the process: exported itself; of exports that fail only its output says something. */
  readonly log: ProcessLog;
  /** `service.name`, unless OTEL_SERVICE_NAME says another. */
  readonly service: string;
  /** `service.instance.id`: another one each start. */
  readonly instance: string;
  readonly metrics: Metrics;
}

/** Where what happens is told; undefined: nobody wants to hear it. Never waits, never throws; 2,048 wait at most. */
export interface Exported {
  readonly span: ((span: Span) => void) | undefined;
  readonly log: ((record: LogRecord) => void) | undefined;
  /** Sends what is left, for as long as the exporter's time limit. */
  close(): Promise<void>;
}

const nothing: Exported = { span: undefined, log: undefined, close: () => Promise.resolve() };

/** Exports over OTLP what the settings name. OpenTelemetry's code is not even read when they name nothing. */
export async function startExport(options: ExportOptions): Promise<Exported> {
  const { traces, metrics, logs } = options.settings;
  const exported = !traces && !metrics && !logs ? nothing : (await import("./otlp.ts")).startOtlp(options);
  const tell = exported.log;
  options.log.exportTo(tell === undefined ? undefined : (record) => tell(logRecord(record)));
  return exported;
}

const logRecord = ({ atMs, level, message, fields }: ProcessRecord): LogRecord => ({
  ...{ atMs, level, body: message, attributes: attributesOf(fields) },
});

/** Semantic conventions, "Errors" and "Exceptions". */
const conventional: Readonly<Record<string, string>> = { error: "exception.message", code: "error.type" };

function attributesOf(fields: LogFields): LogRecord["attributes"] {
  const attributes: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) attributes[conventional[name] ?? name] = value;
  }
  return attributes;
}
