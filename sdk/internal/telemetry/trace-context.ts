/** Where a request stands in its trace (W3C Trace Context, level 2). */
export interface TraceContext {
  /** 32 hexadecimal digits in small letters, not all zero. */
  readonly traceId: string;
  /** 16 of them: the span that what comes next is a child of. */
  readonly spanId: string;
  /** As two hexadecimal digits say them. */
  readonly flags: number;
}

const sampledFlag = 0x01;
// Of version 00, or what a later version must begin with (3.2.2.1 and 4).
const pattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

export const isSampled = ({ flags }: TraceContext): boolean => (flags & sampledFlag) !== 0;

/** @returns undefined for what is no traceparent: it counts as if it had not been sent (W3C Trace Context, 4.2). */
export function parseTraceparent(value: string): TraceContext | undefined {
  const [, version, traceId = "", spanId = "", flags = "", rest] = pattern.exec(value) ?? [];
  if (version === undefined || version === "ff" || (version === "00" && rest !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, flags: Number.parseInt(flags, 16) };
}

/** Of version 00; of the flags those that it knows: sampled, and that the id is random. */
export const formatTraceparent = ({ traceId, spanId, flags }: TraceContext): string =>
  `00-${traceId}-${spanId}-${(flags & 0x03).toString(16).padStart(2, "0")}`;
