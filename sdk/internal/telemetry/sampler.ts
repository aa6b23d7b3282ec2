import type { SamplerSettings } from "./settings.ts";
import { isSampled, type TraceContext } from "./trace-context.ts";

/** Decides whether a request is traced. `parent`: what it came with. */
export type Sampler = (traceId: string, parent: TraceContext | undefined) => boolean;

// Of the last 56 bits of a trace id, which are random (W3C Trace Context, level 2, 3.2.2.3.2).
const randomDigits = 14;
const randomRange = 2 ** (4 * randomDigits);

/**
 * The same share of traces in every process that is told the same ratio, and the same traces: the id decides.
 * (OpenTelemetry, "TraceState: Probability Sampling": sampled when the random part is at least the threshold.)
 */
export function samplerOf({ ratio, parentBased }: SamplerSettings): Sampler {
  const threshold = Math.round((1 - ratio) * randomRange);
  const own = (traceId: string): boolean => ratio > 0 && Number.parseInt(traceId.slice(-randomDigits), 16) >= threshold;
  return parentBased ? (traceId, parent) => (parent === undefined ? own(traceId) : isSampled(parent)) : own;
}
