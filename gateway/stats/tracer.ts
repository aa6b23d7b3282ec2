import type { Random } from "@shallop/sdk/internal";
import {
  formatTraceparent,
  parseTraceparent,
  type Sampler,
  type Span,
  type TraceContext,
} from "@shallop/sdk/internal/telemetry";
import type { RequestTrace } from "@shallop/sdk/wire";
import type { RequestRecord, RequestWatcher } from "./request-record.ts";
import { requestSpans } from "./request-spans.ts";

export interface TracerOptions {
  readonly sampler: Sampler;
  readonly random: Random;
  /** Over OTLP; undefined: nobody wants them. */
  readonly span: ((span: Span) => void) | undefined;
  /** To the control plane, for `shallop trace`. */
  readonly trace: (trace: RequestTrace) => void;
}

/**
 * Traces requests (W3C Trace Context): goes on with what a `traceparent` has begun, begins traces itself, and hands the
 * context on to pods. A trace that begins here has the request's id, so that either finds it.
 */
export class Tracer implements RequestWatcher {
  readonly #options: TracerOptions;

  constructor(options: TracerOptions) {
    this.#options = options;
  }

  /** Decides whether the request is traced; if so, changes its headers to what its pod shall see. */
  begin(record: RequestRecord, headers: string[]): void {
    const parent = takeParent(headers);
    const traceId = parent?.traceId ?? record.origin.id.replaceAll("-", "");
    if (!this.#options.sampler(traceId, parent)) {
      // As it came: what it says of the decision holds for whoever is next.
      if (parent !== undefined) headers.push("traceparent", formatTraceparent({ ...parent, flags: parent.flags & ~1 }));
      return;
    }
    // A version 4 UUID is random in its last 56 bits (level 2, 3.2.2.3.2).
    const flags = parent === undefined ? 0x03 : parent.flags | 0x01;
    const trace = { traceId, spanId: this.#spanId(), flags, parentSpanId: parent?.spanId, podSpanId: this.#spanId() };
    record.trace = trace;
    headers.push("traceparent", formatTraceparent({ traceId, spanId: trace.podSpanId, flags }));
  }

  ended(record: RequestRecord): void {
    if (record.trace === undefined) return;
    const { span, trace } = this.#options;
    const spans = requestSpans(record, record.trace, () => this.#spanId());
    if (span !== undefined) for (const one of spans) span(one);
    const { origin, revision } = record;
    trace({
      traceId: record.trace.traceId,
      requestId: origin.id,
      namespace: revision?.namespace ?? "",
      revision: revision?.name ?? "",
      spans,
    });
  }

  /** A UUID's first 12 digits and last 4 are random. */
  #spanId(): string {
    const digits = this.#options.random.uuid().replaceAll("-", "");
    return digits.slice(0, 12) + digits.slice(28);
  }
}

/** Takes `traceparent` out. More than one is none (level 2, 4.3), and without it `tracestate` says nothing. */
function takeParent(headers: string[]): TraceContext | undefined {
  let parent: TraceContext | undefined;
  let seen = 0;
  for (let index = headers.length - 2; index >= 0; index -= 2) {
    if (headers[index] !== "traceparent") continue;
    parent = parseTraceparent((headers[index + 1] ?? "").trim());
    headers.splice(index, 2);
    seen++;
  }
  if (seen === 1 && parent !== undefined) return parent;
  for (let index = headers.length - 2; index >= 0; index -= 2) {
    if (headers[index] === "tracestate") headers.splice(index, 2);
  }
  return undefined;
}

/** `off`, `parent` (only what comes with a sampled `traceparent`), or a share such as `0.1`. */
export type TraceMode = "off" | "parent" | number;

export function parseTraceMode(text: string): TraceMode | undefined {
  if (text === "off" || text === "parent") return text;
  return /^(0(\.[0-9]{1,9})?|1(\.0{1,9})?)$/.test(text) ? Number(text) : undefined;
}
