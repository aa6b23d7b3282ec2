import { nameColumn, readyColumns, textColumn } from "../columns.ts";
import { dig } from "../json.ts";
import { allVerbs, type KindDefinition } from "../kind.ts";
import { services } from "../resources.ts";
import { required } from "../validation/cause.ts";
import { templateDefaults, validateParentAnnotations, validateTemplate } from "../validation/template.ts";
import { validateTraffic, withTrafficDefaults } from "../validation/traffic.ts";

/** Knative's own word for a Service without `traffic`: all of it to the latest ready revision. */
const allToLatest = [{ latestRevision: true, percent: 100 }];

/** serving.knative.dev/v1 Service: a Configuration and a Route of the same name, as one object. */
export const knativeServiceKind: KindDefinition = {
  resource: services,
  singular: "service",
  shortNames: ["kservice", "ksvc"],
  categories: ["all", "knative", "serving"],
  description: "Service makes an image answer requests at a URL: it manages a Configuration and a Route.",
  verbs: allVerbs,
  subresources: ["status"],
  type: "Service",
  builtin: false,
  nameRule: "label-1035",
  generationOf: ["spec"],
  selectableFields: {},
  columns: [
    nameColumn,
    textColumn("URL", "Where the service answers.", ["status", "url"]),
    textColumn("LatestCreated", "The newest revision.", ["status", "latestCreatedRevisionName"]),
    textColumn("LatestReady", "The newest revision that is ready.", ["status", "latestReadyRevisionName"]),
    ...readyColumns,
  ],
  defaults: [...templateDefaults, ["spec.traffic", allToLatest]],
  derive: withTrafficDefaults,
  validate: (object, old, settings) => [
    ...(dig(object, "spec") === undefined ? [required("spec")] : []),
    ...validateParentAnnotations(object),
    ...validateTemplate(object, old, settings),
    ...validateTraffic(object, { configurationName: false }),
  ],
};
