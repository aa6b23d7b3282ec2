import { type InstanceReuse, reusePrefix, reuseRows } from "../internal/reuse.ts";
import { parseLimit } from "./limits.ts";

const names = Object.keys(reuseRows) as (keyof InstanceReuse)[];

/** What annotations say of how instances are used again. A value that admission would have refused counts as not given. */
export function instanceReuseOf(annotations: Readonly<Record<string, string>> = {}): Partial<InstanceReuse> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const row = reuseRows[name];
      const text = annotations[`${reusePrefix}${row.setBy}`];
      const value = text === undefined ? undefined : parseLimit(row, text);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
