import { nameColumn, readyColumns, textColumn } from "../columns.ts";
import type { KindDefinition } from "../kind.ts";
import { services } from "../resources.ts";
import { templateDefaults, validateTemplate } from "../validation/template.ts";
import { validateTraffic, withTrafficDefaults } from "../validation/traffic.ts";
import { latestColumns, servingKind, validateParent } from "./serving-kind.ts";

/** Knative's own word for a Service without `traffic`: all of it to the latest ready revision. */
const allToLatest = [{ latestRevision: true, percent: 100 }];

/** serving.knative.dev/v1 Service: a Configuration and a Route of the same name, as one object. */
export const knativeServiceKind: KindDefinition = {
  ...servingKind,
  resource: services,
  singular: "service",
  shortNames: ["kservice", "ksvc"],
  description: "Service makes an image answer requests at a URL: it manages a Configuration and a Route.",
  type: "Service",
  columns: [
    nameColumn,
    textColumn("URL", "Where the service answers.", ["status", "url"]),
    ...latestColumns,
    ...readyColumns,
  ],
  defaults: [...templateDefaults, ["spec.traffic", allToLatest]],
  derive: withTrafficDefaults,
  validate: (object, old, settings) => [
    ...validateParent(object),
    ...validateTemplate(object, old, settings),
    ...validateTraffic(object, { configurationName: false }),
  ],
};
