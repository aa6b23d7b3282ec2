import { parseDurationMs } from "../internal/duration.ts";
import { type GuestLimits, limitRows, type LimitRow, limitsFrom, limitsPrefix } from "../internal/limits.ts";
import { parseQuantity } from "./quantity.ts";

/** As the annotations say. A value that admission would have refused counts as not given. */
export function guestLimitsOf(annotations: Readonly<Record<string, string>> = {}): GuestLimits {
  return limitsFrom((name) => {
    const row = limitRows[name];
    const text = annotations[`${limitsPrefix}${row.setBy}`];
    const value = text === undefined ? undefined : parseLimit(row, text);
    return value ?? row.initial;
  });
}

/** Undefined when the text is no value of this limit, or one beyond its range. */
export function parseLimit(row: Pick<LimitRow, "unit" | "min" | "max">, text: string): number | undefined {
  const value = row.unit === "duration" ? parseDurationMs(text) : parseQuantity(text);
  return value !== undefined && Number.isInteger(value) && value >= row.min && value <= row.max ? value : undefined;
}
