import { dig, isJsonObject, type JsonObject, listAt, textAt } from "./json.ts";
import type { Column } from "./kind.ts";

/** The pieces that printer columns are made of. */

/** k8s.io/apimachinery/pkg/util/duration HumanDuration: `45s`, `3m20s`, `5h10m`, `3d4h`. */
export function humanDuration(durationMs: number): string {
  const seconds = Math.trunc(durationMs / 1000);
  if (seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes < 10) return seconds % 60 === 0 ? `${minutes}m` : `${minutes}m${seconds % 60}s`;
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.trunc(minutes / 60);
  if (hours < 8) return minutes % 60 === 0 ? `${hours}h` : `${hours}h${minutes % 60}m`;
  if (hours < 48) return `${hours}h`;
  const days = Math.trunc(hours / 24);
  if (hours < 192) return hours % 24 === 0 ? `${days}d` : `${days}d${hours % 24}h`;
  if (days < 365 * 2) return `${days}d`;
  const years = Math.trunc(days / 365);
  if (days < 365 * 8) return days % 365 === 0 ? `${years}y` : `${years}y${days % 365}d`;
  return `${years}y`;
}

/** Time since an RFC 3339 time, as `kubectl get` shows it. */
export function since(time: string | undefined, nowMs: number): string {
  const atMs = time === undefined ? Number.NaN : Date.parse(time);
  return Number.isNaN(atMs) ? "<unknown>" : humanDuration(nowMs - atMs);
}

export const nameColumn: Column = {
  name: "Name",
  type: "string",
  format: "name",
  description: "Name must be unique within a namespace.",
  cell: (object) => textAt(object, "metadata", "name") ?? "",
};

export const ageColumn: Column = {
  name: "Age",
  type: "string",
  description: "Time since the object was created.",
  cell: (object, nowMs) => since(textAt(object, "metadata", "creationTimestamp"), nowMs),
};

/** A column that shows the text at a path, or `missing`. */
export function textColumn(
  name: string,
  description: string,
  path: readonly string[],
  options: { readonly wide?: boolean; readonly missing?: string } = {},
): Column {
  return {
    name,
    type: "string",
    description,
    ...(options.wide === true ? { wide: true } : {}),
    cell: (object) => textAt(object, ...path) ?? options.missing ?? "",
  };
}

/** A column that shows the integer at a path. */
export function integerColumn(name: string, description: string, path: readonly string[]): Column {
  return {
    name,
    type: "integer",
    description,
    cell: (object) => {
      const value = dig(object, ...path);
      return typeof value === "number" ? value : null;
    },
  };
}

/** The condition of `status.conditions` with this type. */
export const conditionOf = (object: JsonObject, type: string): JsonObject | undefined =>
  listAt(object, "status", "conditions")
    .filter(isJsonObject)
    .find((condition) => condition["type"] === type);

/** Columns `Ready` and `Reason` of Knative's kinds. */
export const readyColumns: readonly Column[] = [
  {
    name: "Ready",
    type: "string",
    description: "Status of the condition Ready.",
    cell: (object) => textAt(conditionOf(object, "Ready"), "status") ?? "",
  },
  {
    name: "Reason",
    type: "string",
    description: "Why it is not ready.",
    cell: (object) => textAt(conditionOf(object, "Ready"), "reason") ?? "",
  },
];
