import type { NodeSelectorTerm, SelectorRequirement, Taint, Toleration } from "@shallop/sdk/api";

type Labels = Readonly<Record<string, string>>;

/** One line of a selector of nodes (core/v1 NodeSelectorRequirement). */
function meets(labels: Labels, { key, operator, values = [] }: SelectorRequirement): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case "Gt":
    case "Lt":
      return value !== undefined && compares(value, values[0] ?? "", operator);
    default:
      return false;
  }
}

/** Whole numbers only: what is none compares with nothing. */
function compares(value: string, bound: string, operator: "Gt" | "Lt"): boolean {
  if (!/^-?\d+$/.test(value) || !/^-?\d+$/.test(bound)) return false;
  return operator === "Gt" ? Number(value) > Number(bound) : Number(value) < Number(bound);
}

/** All lines of a term; one without lines matches nothing. `metadata.name` is the only field that nodes have here. */
export function matchesTerm(
  { matchExpressions = [], matchFields = [] }: NodeSelectorTerm,
  node: { readonly name: string; readonly labels: Labels },
): boolean {
  if (matchExpressions.length + matchFields.length === 0) return false;
  const fields = { "metadata.name": node.name };
  return (
    matchExpressions.every((requirement) => meets(node.labels, requirement)) &&
    matchFields.every((requirement) => meets(fields, requirement))
  );
}

/** k8s.io/component-helpers, "ToleratesTaint": no effect means every effect, no key with Exists every taint. */
export const tolerates = (
  { key = "", operator = "Equal", value = "", effect = "" }: Toleration,
  taint: Taint,
): boolean =>
  (effect === "" || effect === taint.effect) &&
  (key === "" ? operator === "Exists" : key === taint.key) &&
  (operator === "Exists" || value === (taint.value ?? ""));

/** `dedicated=db:NoSchedule`, as kubectl writes it. */
export const taintText = ({ key, value = "", effect }: Taint): string =>
  `${key}${value === "" ? "" : `=${value}`}:${effect}`;
