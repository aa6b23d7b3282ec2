import { ageColumn, nameColumn } from "../columns.ts";
import { dig, type Json, type JsonObject, numberAt, textAt } from "../json.ts";
import type { Column, KindDefinition } from "../kind.ts";
import { podDisruptionBudgets } from "../resources.ts";
import type { StatusCause } from "../fault.ts";
import { invalid } from "../validation/cause.ts";
import { networkKind } from "./network-kind.ts";

const shareColumn = (name: string, field: string): Column => ({
  name,
  type: "string",
  description: `${name} of the pods that it selects`,
  cell: (object) => String(numberAt(object, "spec", field) ?? textAt(object, "spec", field) ?? "N/A"),
});

/** policy/v1 PodDisruptionBudget: how many of some pods an eviction leaves. */
export const podDisruptionBudgetKind: KindDefinition = {
  ...networkKind,
  resource: podDisruptionBudgets,
  singular: "poddisruptionbudget",
  shortNames: ["pdb"],
  description: "PodDisruptionBudget says how many of the pods that it selects evictions leave running.",
  type: "PodDisruptionBudget",
  subresources: ["status"],
  columns: [
    nameColumn,
    shareColumn("Min Available", "minAvailable"),
    shareColumn("Max Unavailable", "maxUnavailable"),
    ageColumn,
  ],
  validate: validateBudget,
};

function validateBudget(object: JsonObject): StatusCause[] {
  const [least, most] = ["minAvailable", "maxUnavailable"].map((field) => dig(object, "spec", field));
  if (least !== undefined && most !== undefined)
    return [invalid("spec", null, "minAvailable and maxUnavailable cannot be both set")];
  return [...validateShare("spec.minAvailable", least), ...validateShare("spec.maxUnavailable", most)];
}

function validateShare(path: string, value: Json | undefined): StatusCause[] {
  if (value === undefined || (typeof value === "number" && value >= 0)) return [];
  if (typeof value === "string" && /^\d{1,3}%$/.test(value) && Number.parseInt(value, 10) <= 100) return [];
  return [invalid(path, value, "must be a count or a percentage such as 50%")];
}
