import { nameColumn, readyColumns, textColumn } from "../columns.ts";
import { dig } from "../json.ts";
import { allVerbs, type KindDefinition } from "../kind.ts";
import { routes } from "../resources.ts";
import { required } from "../validation/cause.ts";
import { validateParentAnnotations } from "../validation/template.ts";
import { validateTraffic, withTrafficDefaults } from "../validation/traffic.ts";

/** serving.knative.dev/v1 Route: a URL, and how its requests are split over revisions. */
export const routeKind: KindDefinition = {
  resource: routes,
  singular: "route",
  shortNames: ["rt"],
  categories: ["all", "knative", "serving"],
  description: "Route maps a URL to revisions and splits the traffic between them.",
  verbs: allVerbs,
  subresources: ["status"],
  type: "Route",
  builtin: false,
  nameRule: "label-1035",
  generationOf: ["spec"],
  selectableFields: {},
  columns: [nameColumn, textColumn("URL", "Where the route answers.", ["status", "url"]), ...readyColumns],
  defaults: [],
  derive: withTrafficDefaults,
  validate: (object) => [
    ...(dig(object, "spec") === undefined ? [required("spec")] : []),
    ...validateParentAnnotations(object),
    ...validateTraffic(object, { configurationName: true }),
  ],
};
