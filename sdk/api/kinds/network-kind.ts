import { allVerbs, type KindDefinition } from "../kind.ts";

/** What the built-in kinds of networking have in common. */
export const networkKind = {
  categories: [],
  shortNames: [],
  verbs: allVerbs,
  subresources: [],
  builtin: true,
  nameRule: "subdomain-1123",
  generationOf: ["spec"],
  selectableFields: {},
  defaults: [],
} as const satisfies Partial<KindDefinition>;

/** What the kinds of the Gateway API have in common: custom resources in its category. */
export const gatewayApiKind = {
  ...networkKind,
  builtin: false,
  categories: ["gateway-api"],
  subresources: ["status"],
} as const satisfies Partial<KindDefinition>;
