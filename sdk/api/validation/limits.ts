import { formatLimit, guestLimitNames, limitRows, limitsPrefix } from "../../internal/limits.ts";
import { reusePrefix, reuseRows } from "../../internal/reuse.ts";
import type { StatusCause } from "../fault.ts";
import { parseLimit } from "../limits.ts";
import { invalid, notSupported } from "./cause.ts";

const tables = [
  { prefix: limitsPrefix, rows: guestLimitNames.map((name) => limitRows[name]) },
  { prefix: reusePrefix, rows: Object.values(reuseRows) },
];

/** Whether a node reads an annotation of this name. */
export const isGuestAnnotation = (key: string): boolean => tables.some(({ prefix }) => key.startsWith(prefix));

const example = {
  count: "a whole number",
  bytes: "bytes, such as 64Ki,",
  duration: "a duration, such as 10s,",
} as const;

/** Checks the annotations of a revision (template) that set its guests' limits and reuse. One that is unknown is a mistake. */
export function validateLimits(given: Readonly<Record<string, string>>, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  for (const [key, value] of Object.entries(given)) {
    const table = tables.find(({ prefix }) => key.startsWith(prefix));
    if (table === undefined) continue;
    const row = table.rows.find(({ setBy }) => `${table.prefix}${setBy}` === key);
    if (row === undefined) {
      const known = table.rows.map(({ setBy }) => `${table.prefix}${setBy}`);
      causes.push(notSupported(`${path}.${key}`, key, known));
    } else if (parseLimit(row, value) === undefined) {
      const { unit, min, max } = row;
      const what = example[unit === "bytes a second" ? "bytes" : unit];
      const range = `from ${formatLimit(unit, min)} to ${formatLimit(unit, max)}`;
      causes.push(invalid(`${path}.${key}`, value, `must be ${what} ${range}`));
    }
  }
  return causes;
}
