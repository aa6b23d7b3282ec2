import { ageColumn, nameColumn } from "../columns.ts";
import type { KindDefinition } from "../kind.ts";
import { nodeMetrics, podMetrics } from "../resources.ts";

/** What both have in common: they are measured when they are asked for, and nowhere stored. */
const measured = {
  shortNames: [],
  categories: [],
  verbs: ["get", "list"],
  subresources: [],
  builtin: true,
  nameRule: "subdomain-1123",
  generationOf: [],
  selectableFields: {},
  columns: [nameColumn, ageColumn],
  defaults: [],
  validate: () => [],
} as const satisfies Partial<KindDefinition>;

/** metrics.k8s.io/v1beta1 NodeMetrics, for `kubectl top nodes`. */
export const nodeMetricsKind: KindDefinition = {
  ...measured,
  resource: nodeMetrics,
  singular: "",
  description: "NodeMetrics is what a node uses.",
  type: "NodeMetrics",
};

/** metrics.k8s.io/v1beta1 PodMetrics, for `kubectl top pods`. */
export const podMetricsKind: KindDefinition = {
  ...measured,
  resource: podMetrics,
  singular: "",
  description: "PodMetrics is what the containers of a pod use.",
  type: "PodMetrics",
};
