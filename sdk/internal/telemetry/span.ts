import type { TraceContext } from "./trace-context.ts";

export type SpanKind = "internal" | "server" | "client";

/** Something that took time on the way of a request. Times are milliseconds of the wall clock. */
export interface Span extends TraceContext {
  readonly parentSpanId?: string | undefined;
  readonly name: string;
  readonly kind: SpanKind;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  /** Why it failed; undefined: it did not. */
  readonly error?: string | undefined;
}
