import { ageColumn, nameColumn, textColumn } from "../columns.ts";
import { type JsonObject, listAt, textAt } from "../json.ts";
import type { KindDefinition } from "../kind.ts";
import { ingressClasses, ingresses } from "../resources.ts";
import { required } from "../validation/cause.ts";
import { validateIngress } from "../validation/ingress.ts";
import { networkKind } from "./network-kind.ts";

function hosts(object: JsonObject): string {
  const names = listAt(object, "spec", "rules")
    .map((rule) => textAt(rule, "host") ?? "")
    .filter((host) => host !== "");
  if (names.length === 0) return "*";
  return names.length > 3 ? `${names.slice(0, 3).join(",")} + ${names.length - 3} more...` : names.join(",");
}

const address = (object: JsonObject): string =>
  listAt(object, "status", "loadBalancer", "ingress")
    .map((one) => textAt(one, "ip") ?? textAt(one, "hostname") ?? "")
    .join(",");

/** networking.k8s.io/v1 Ingress: hosts and paths, and the services that answer them. */
export const ingressKind: KindDefinition = {
  ...networkKind,
  resource: ingresses,
  singular: "ingress",
  shortNames: ["ing"],
  description: "Ingress sends requests for hosts and paths to services.",
  type: "Ingress",
  subresources: ["status"],
  columns: [
    nameColumn,
    textColumn("Class", "The class of the ingress", ["spec", "ingressClassName"], { missing: "<none>" }),
    { name: "Hosts", type: "string", description: "Hosts that it is for", cell: hosts },
    { name: "Address", type: "string", description: "Where it answers", cell: address },
    {
      name: "Ports",
      type: "string",
      description: "Ports that it answers on",
      cell: (object) => (listAt(object, "spec", "tls").length > 0 ? "80, 443" : "80"),
    },
    ageColumn,
  ],
  initialStatus: () => ({ loadBalancer: {} }),
  validate: validateIngress,
};

/** networking.k8s.io/v1 IngressClass: whose the ingresses of a class are. */
export const ingressClassKind: KindDefinition = {
  ...networkKind,
  resource: ingressClasses,
  singular: "ingressclass",
  description: "IngressClass says which controller the ingresses of its name belong to.",
  type: "IngressClass",
  columns: [
    nameColumn,
    textColumn("Controller", "Whose the ingresses are", ["spec", "controller"]),
    textColumn("Parameters", "More of it", ["spec", "parameters", "name"], { missing: "<none>" }),
    ageColumn,
  ],
  validate: (object) => (textAt(object, "spec", "controller") === undefined ? [required("spec.controller")] : []),
};
