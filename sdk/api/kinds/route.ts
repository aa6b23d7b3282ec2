import { nameColumn, readyColumns, textColumn } from "../columns.ts";
import type { KindDefinition } from "../kind.ts";
import { routes } from "../resources.ts";
import { validateTraffic, withTrafficDefaults } from "../validation/traffic.ts";
import { servingKind, validateParent } from "./serving-kind.ts";

/** serving.knative.dev/v1 Route: a URL, and how its requests are split over revisions. */
export const routeKind: KindDefinition = {
  ...servingKind,
  resource: routes,
  singular: "route",
  shortNames: ["rt"],
  description: "Route maps a URL to revisions and splits the traffic between them.",
  type: "Route",
  columns: [nameColumn, textColumn("URL", "Where the route answers.", ["status", "url"]), ...readyColumns],
  defaults: [],
  derive: withTrafficDefaults,
  validate: (object) => [...validateParent(object), ...validateTraffic(object, { configurationName: true })],
};
