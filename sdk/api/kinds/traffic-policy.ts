import { ageColumn, conditionOf, nameColumn } from "../columns.ts";
import { listAt, textAt } from "../json.ts";
import type { KindDefinition } from "../kind.ts";
import { trafficPolicies } from "../resources.ts";
import { validateTrafficPolicy } from "../validation/traffic-policy.ts";
import { gatewayApiKind } from "./network-kind.ts";

/** shallop.dev/v1 TrafficPolicy: limits, authentication, compression and more, for whatever routes requests. */
export const trafficPolicyKind: KindDefinition = {
  ...gatewayApiKind,
  resource: trafficPolicies,
  singular: "trafficpolicy",
  shortNames: ["tp"],
  categories: ["shallop"],
  description: "TrafficPolicy says what else is done with the requests of a Service, Ingress, HTTPRoute or Gateway.",
  type: "TrafficPolicy",
  columns: [
    nameColumn,
    {
      name: "Targets",
      type: "string",
      description: "What it is for",
      cell: (object) =>
        listAt(object, "spec", "targetRefs")
          .map((target) => `${textAt(target, "kind") ?? ""}/${textAt(target, "name") ?? ""}`)
          .join(","),
    },
    {
      name: "Accepted",
      type: "string",
      description: "Status of the condition Accepted.",
      cell: (object) => textAt(conditionOf(object, "Accepted"), "status") ?? "Unknown",
    },
    {
      name: "Reason",
      type: "string",
      description: "Why it is not accepted.",
      cell: (object) => textAt(conditionOf(object, "Accepted"), "reason") ?? "",
    },
    ageColumn,
  ],
  defaults: [
    ["spec.rateLimits[].period", "1s"],
    ["spec.rateLimits[].per", "Client"],
  ],
  validate: validateTrafficPolicy,
};
