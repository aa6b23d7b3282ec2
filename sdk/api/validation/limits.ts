import { formatLimit, guestLimitNames, limitRows, limitsPrefix } from "../../internal/limits.ts";
import type { StatusCause } from "../fault.ts";
import { parseLimit } from "../limits.ts";
import { invalid, notSupported } from "./cause.ts";

const rows = guestLimitNames.map((name) => limitRows[name]);
const annotations = rows.map(({ setBy }) => `${limitsPrefix}${setBy}`);
const example = {
  count: "a whole number",
  bytes: "bytes, such as 64Ki,",
  duration: "a duration, such as 10s,",
} as const;

/** Checks the annotations of a revision (template) that set its guests' limits. One that is unknown is a mistake. */
export function validateLimits(given: Readonly<Record<string, string>>, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  for (const [key, value] of Object.entries(given)) {
    if (!key.startsWith(limitsPrefix)) continue;
    const row = rows[annotations.indexOf(key)];
    if (row === undefined) {
      causes.push(notSupported(`${path}.${key}`, key, annotations));
    } else if (parseLimit(row, value) === undefined) {
      const { unit, min, max } = row;
      const what = example[unit === "bytes a second" ? "bytes" : unit];
      const range = `from ${formatLimit(unit, min)} to ${formatLimit(unit, max)}`;
      causes.push(invalid(`${path}.${key}`, value, `must be ${what} ${range}`));
    }
  }
  return causes;
}
