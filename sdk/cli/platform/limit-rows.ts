import { guestLimitsOf, instanceReuseOf, parseQuantity, type Revision } from "../../api/index.ts";
import { formatLimit, type LimitName, limitRows, type LimitRow } from "../../internal/limits.ts";
import { type InstanceReuse, instanceReuse, reuseRows } from "../../internal/reuse.ts";

/** The limits of a revision's Wasm pods as rows: what sets it, its value, and what a request ends with that meets it. */
export function limitTable(revision: Revision): readonly (readonly string[])[] {
  const { spec, metadata } = revision;
  const memory = spec.containers[0]?.resources?.limits?.["memory"];
  const values: Readonly<Record<LimitName, number | undefined>> = {
    ...guestLimitsOf(metadata.annotations),
    memoryBytes: memory === undefined ? undefined : parseQuantity(memory),
    requestTimeoutMs: spec.timeoutSeconds === undefined ? undefined : spec.timeoutSeconds * 1000,
    concurrencyMax: spec.containerConcurrency,
  };
  return Object.entries(limitRows).map(([name, row]) => {
    const value = values[name as LimitName] ?? row.initial;
    return [row.setBy, formatLimit(row.unit, value), value === row.initial ? "" : "set", breachOf(row)];
  });
}

/** How instances of a revision are used: what sets it, and what holds for guests of WASI 0.2 and of 0.3. */
export function reuseTable({ metadata }: Revision): readonly (readonly string[])[] {
  const wanted = instanceReuseOf(metadata.annotations);
  const [of02, of03] = [instanceReuse(wanted, false), instanceReuse(wanted, true)];
  return (Object.keys(reuseRows) as (keyof InstanceReuse)[]).map((name) => {
    const { setBy, unit } = reuseRows[name];
    const isSet = wanted[name] === undefined ? "" : "set";
    return [setBy, formatLimit(unit, of02[name]), formatLimit(unit, of03[name]), isSet];
  });
}

const breachOf = ({ breach }: LimitRow): string => (breach === undefined ? "-" : `${breach.status} ${breach.code}`);
