import { ageColumn, nameColumn, textColumn } from "../columns.ts";
import { type JsonObject, listAt, numberAt, textAt, textsAt } from "../json.ts";
import type { KindDefinition } from "../kind.ts";
import { coreServices } from "../resources.ts";
import { isExternalName, validateCoreService, withTargetPorts, withTrafficPolicy } from "../validation/core-service.ts";
import { networkKind } from "./network-kind.ts";

const ports = (object: JsonObject): string =>
  listAt(object, "spec", "ports")
    .map((port) => `${numberAt(port, "port") ?? ""}/${textAt(port, "protocol") ?? ""}`)
    .join(",") || "<none>";

const selector = (object: JsonObject): string =>
  Object.entries(textsAt(object, "spec", "selector"))
    .map(([name, value]) => `${name}=${value}`)
    .join(",") || "<none>";

/** core/v1 Service: a name and an address for pods, which pods, Ingresses and HTTPRoutes send requests to. */
export const coreServiceKind: KindDefinition = {
  ...networkKind,
  resource: coreServices,
  singular: "service",
  shortNames: ["svc"],
  categories: ["all"],
  description: "Service is a name for the pods that its selector chooses.",
  type: "CoreService",
  subresources: ["status"],
  nameRule: "label-1035",
  generationOf: [],
  selectableFields: { "spec.type": "", "spec.clusterIP": "" },
  columns: [
    nameColumn,
    textColumn("Type", "How it is reached", ["spec", "type"]),
    textColumn("Cluster-IP", "Its address inside the cluster", ["spec", "clusterIP"], { missing: "<none>" }),
    {
      name: "External-IP",
      type: "string",
      description: "The name outside that it stands for",
      cell: (object) => (isExternalName(object) ? textAt(object, "spec", "externalName") : undefined) ?? "<none>",
    },
    { name: "Port(s)", type: "string", description: "Ports of the service", cell: ports },
    ageColumn,
    { name: "Selector", type: "string", description: "Labels of its pods", cell: selector, wide: true },
  ],
  defaults: [
    ["spec.type", "ClusterIP"],
    ["spec.sessionAffinity", "None"],
    ["spec.ports[].protocol", "TCP"],
  ],
  derive: (object) => withTrafficPolicy(withTargetPorts(object)),
  initialStatus: () => ({ loadBalancer: {} }),
  validate: validateCoreService,
};
