import { ageColumn, nameColumn } from "../columns.ts";
import type { StatusCause } from "../fault.ts";
import { isJsonObject, type Json, type JsonObject, listAt, textAt, withAt } from "../json.ts";
import type { KindDefinition } from "../kind.ts";
import { httpRoutes, referenceGrants } from "../resources.ts";
import { required } from "../validation/cause.ts";
import { validateHttpRoute } from "../validation/http-route.ts";
import { gatewayApiKind } from "./network-kind.ts";

const parentDefaults: JsonObject = { group: "gateway.networking.k8s.io", kind: "Gateway" };
const backendDefaults: JsonObject = { group: "", kind: "Service", weight: 1 };
const everyPath: JsonObject = { path: { type: "PathPrefix", value: "/" } };

const withAll = (items: readonly Json[], change: (item: JsonObject) => JsonObject): Json[] =>
  items.map((item) => (isJsonObject(item) ? change(item) : item));

/** The defaults of the Gateway API's schema. A route without rules has one that matches everything. */
function withRouteDefaults(object: JsonObject): JsonObject {
  if (object["spec"] === undefined) return object;
  const parents = listAt(object, "spec", "parentRefs");
  const rules = listAt(object, "spec", "rules");
  const result = withAt(
    object,
    ["spec", "rules"],
    withAll(rules.length === 0 ? [{}] : rules, (rule) => ({
      ...rule,
      matches: withAll(listAt(rule, "matches").length === 0 ? [everyPath] : listAt(rule, "matches"), withMatchDefaults),
      ...(rule["backendRefs"] === undefined
        ? {}
        : { backendRefs: withAll(listAt(rule, "backendRefs"), (backend) => ({ ...backendDefaults, ...backend })) }),
    })),
  );
  if (parents.length === 0) return result;
  return withAt(
    result,
    ["spec", "parentRefs"],
    withAll(parents, (parent) => ({ ...parentDefaults, ...parent })),
  );
}

function withMatchDefaults(match: JsonObject): JsonObject {
  const exact = (item: JsonObject): JsonObject => ({ type: "Exact", ...item });
  return {
    ...match,
    path: { type: "PathPrefix", value: "/", ...(isJsonObject(match["path"]) ? match["path"] : {}) },
    ...(match["headers"] === undefined ? {} : { headers: withAll(listAt(match, "headers"), exact) }),
    ...(match["queryParams"] === undefined ? {} : { queryParams: withAll(listAt(match, "queryParams"), exact) }),
  };
}

/** gateway.networking.k8s.io/v1 HTTPRoute: which requests go where, and what is done to them on the way. */
export const httpRouteKind: KindDefinition = {
  ...gatewayApiKind,
  resource: httpRoutes,
  singular: "httproute",
  description: "HTTPRoute sends the requests that it matches to backends, and changes them on the way.",
  type: "HTTPRoute",
  columns: [
    nameColumn,
    {
      name: "Hostnames",
      type: "string",
      description: "Hosts that it is for",
      cell: (object) => JSON.stringify(listAt(object, "spec", "hostnames")),
    },
    ageColumn,
    {
      name: "Parents",
      type: "string",
      description: "Gateways that it is attached to",
      wide: true,
      cell: (object) =>
        listAt(object, "spec", "parentRefs")
          .map((parent) => textAt(parent, "name") ?? "")
          .join(","),
    },
  ],
  derive: withRouteDefaults,
  validate: validateHttpRoute,
};

const validateGrant = (object: JsonObject): StatusCause[] => [
  ...(listAt(object, "spec", "from").length === 0 ? [required("spec.from")] : []),
  ...(listAt(object, "spec", "to").length === 0 ? [required("spec.to")] : []),
];

/**
 * gateway.networking.k8s.io/v1beta1 ReferenceGrant, the version that every release of the Gateway API has: which other
 * namespaces may refer to objects of this one.
 */
export const referenceGrantKind: KindDefinition = {
  ...gatewayApiKind,
  resource: referenceGrants,
  singular: "referencegrant",
  shortNames: ["refgrant"],
  description: "ReferenceGrant lets objects of other namespaces refer to objects of its own.",
  type: "ReferenceGrant",
  subresources: [],
  columns: [nameColumn, ageColumn],
  validate: validateGrant,
};
