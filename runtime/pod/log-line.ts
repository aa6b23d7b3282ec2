import { formatTraceparent, parseTraceparent, type TraceContext } from "@shallop/sdk/internal/telemetry";
import type { LogSubject } from "./pod-log.ts";
import type { PodLogLine } from "./pod-runtime.ts";

/** A stored line. `time` is as in the file, so that what is shown is what was stored. */
export interface LogEntry {
  readonly time: string;
  readonly stream: "stdout" | "stderr";
  /** The line goes on in the next entry of the same stream. */
  readonly partial: boolean;
  readonly text: string;
  /** The request during which it was written; undefined: none, or nobody knows. */
  readonly trace: TraceContext | undefined;
}

/** Of what a line says of its request; undefined when that is nothing, or not of the form. */
export const traceOf = ({ traceparent }: PodLogLine): TraceContext | undefined =>
  traceparent === undefined ? undefined : parseTraceparent(traceparent);

/**
 * A line as Kubernetes' container runtimes store it (kubelet/cri-api, "logging"): RFC3339Nano, stream, tags with colons
 * between them, text. The first tag is `F` for a full line or `P` for a piece; the second is ours, the `traceparent` of
 * the request during which the line was written. What the guest wrote stays as it was, escape sequences too; the only
 * byte that cannot stay is the newline. Worked: `2026-01-01T00:00:00.005000000Z stdout F hello`.
 */
export function storedText({ time, stream, partial, text, trace }: LogEntry): string {
  const tags = `${partial ? "P" : "F"}${trace === undefined ? "" : `:${formatTraceparent(trace)}`}`;
  return `${time} ${stream} ${tags} ${text.includes("\n") ? text.replaceAll("\n", "\\n") : text}\n`;
}

export const formatLogLine = (line: PodLogLine): string =>
  storedText({ ...line, time: nanoTime(line.wallMs), trace: traceOf(line) });

/** The entry that a stored line (without newline) is; undefined when it is none, as after a crash in mid-write. */
export function parseLogLine(line: string): LogEntry | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z) (stdout|stderr) ([FP])(?::(\S*))? ?/.exec(line);
  if (match === null) return undefined;
  const [head, time = "", stream, tag, traceparent] = match;
  return {
    time,
    stream: stream === "stderr" ? "stderr" : "stdout",
    partial: tag === "P",
    text: line.slice(head.length),
    trace: traceparent === undefined ? undefined : parseTraceparent(traceparent),
  };
}

/**
 * A line as one JSON object. Fields of a trace have the names that OpenTelemetry gives them in formats other than its own
 * ("Trace Context in non-OTLP Log Formats").
 */
export function jsonText({ time, stream, partial, text, trace }: LogEntry, subject: LogSubject): string {
  const { namespace, pod, container, service, revision } = subject;
  const record = {
    ...{ time, stream, namespace, service, revision, pod, container, message: text },
    ...(partial ? { partial } : {}),
    trace_id: trace?.traceId,
    span_id: trace?.spanId,
  };
  return `${JSON.stringify(record)}\n`;
}

/** Always nine digits, so that times sort as text. The clock gives milliseconds; the rest is zeros. */
const nanoTime = (wallMs: number): string => `${new Date(wallMs).toISOString().slice(0, 23)}000000Z`;
