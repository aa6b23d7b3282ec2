import { ageColumn, conditionOf, nameColumn, textColumn } from "../columns.ts";
import type { StatusCause } from "../fault.ts";
import { dig, type Json, type JsonObject, listAt, numberAt, textAt, withAt } from "../json.ts";
import type { KindDefinition } from "../kind.ts";
import { gatewayClasses, gateways } from "../resources.ts";
import { duplicate, invalid, required } from "../validation/cause.ts";
import { checkHost, checkOneOf, checkPort, checkSecretReference } from "../validation/hosts.ts";
import { checkName } from "../validation/name-rules.ts";
import { gatewayApiKind } from "./network-kind.ts";

// kubernetes-sigs/gateway-api, apis/v1/gateway_types.go.
const listenersMax = 64;

function validateGateway(object: JsonObject): StatusCause[] {
  const listeners = listAt(object, "spec", "listeners");
  const causes: StatusCause[] = [];
  if (listeners.length === 0) causes.push(required("spec.listeners"));
  if (listeners.length > listenersMax)
    causes.push(invalid("spec.listeners", listeners.length, `must have at most ${listenersMax} items`));
  const names = new Set<string>();
  for (const [index, listener] of listeners.entries()) {
    const at = `spec.listeners[${index}]`;
    const name = textAt(listener, "name") ?? "";
    if (names.has(name)) causes.push(duplicate(`${at}.name`, name));
    names.add(name);
    causes.push(...validateListener(listener, at));
  }
  return causes;
}

function validateListener(listener: Json, path: string): StatusCause[] {
  const host = textAt(listener, "hostname") ?? "";
  const protocol = textAt(listener, "protocol");
  const certificates = listAt(listener, "tls", "certificateRefs");
  const mode = textAt(listener, "tls", "mode") ?? "Terminate";
  const causes = [
    ...checkName("subdomain-1123", textAt(listener, "name") ?? "", `${path}.name`),
    ...(host === "" ? [] : checkHost(host, `${path}.hostname`)),
    ...checkPort(numberAt(listener, "port") ?? 0, `${path}.port`),
    ...checkOneOf(mode, `${path}.tls.mode`, ["Passthrough", "Terminate"]),
    ...checkOneOf(textAt(listener, "allowedRoutes", "namespaces", "from"), `${path}.allowedRoutes.namespaces.from`, [
      "All",
      "None",
      "Same",
      "Selector",
    ]),
    ...certificates.flatMap((reference, index) =>
      checkSecretReference(reference, `${path}.tls.certificateRefs[${index}]`),
    ),
  ];
  if (protocol === "HTTPS" && mode === "Terminate" && certificates.length === 0)
    causes.push(required(`${path}.tls.certificateRefs`, "of a listener that ends TLS"));
  if (protocol === "HTTP" && dig(listener, "tls") !== undefined)
    causes.push(invalid(`${path}.tls`, protocol, "tls must not be specified for protocols ['HTTP', 'TCP', 'UDP']"));
  return causes;
}

/** Who may attach is said for every listener. */
const withAllowedRoutes = (object: JsonObject): JsonObject =>
  listAt(object, "spec", "listeners").length === 0
    ? object
    : withAt(
        object,
        ["spec", "listeners"],
        listAt(object, "spec", "listeners").map((listener) =>
          textAt(listener, "name") === undefined || dig(listener, "allowedRoutes", "namespaces", "from") !== undefined
            ? listener
            : withAt(listener as JsonObject, ["allowedRoutes", "namespaces", "from"], "Same"),
        ),
      );

/** gateway.networking.k8s.io/v1 Gateway: ports and host names at which HTTPRoutes can be reached. */
export const gatewayKind: KindDefinition = {
  ...gatewayApiKind,
  resource: gateways,
  singular: "gateway",
  shortNames: ["gtw"],
  description: "Gateway has listeners: ports and host names that HTTPRoutes are attached to.",
  type: "Gateway",
  columns: [
    nameColumn,
    textColumn("Class", "Its GatewayClass", ["spec", "gatewayClassName"]),
    {
      name: "Address",
      type: "string",
      description: "Where it answers",
      cell: (object) =>
        listAt(object, "status", "addresses")
          .map((address) => textAt(address, "value") ?? "")
          .join(","),
    },
    {
      name: "Programmed",
      type: "string",
      description: "Status of the condition Programmed.",
      cell: (object) => textAt(conditionOf(object, "Programmed"), "status") ?? "Unknown",
    },
    ageColumn,
  ],
  derive: withAllowedRoutes,
  validate: validateGateway,
};

/** gateway.networking.k8s.io/v1 GatewayClass: whose the Gateways of a class are. */
export const gatewayClassKind: KindDefinition = {
  ...gatewayApiKind,
  resource: gatewayClasses,
  singular: "gatewayclass",
  shortNames: ["gc"],
  description: "GatewayClass says which controller the Gateways of its name belong to.",
  type: "GatewayClass",
  columns: [
    nameColumn,
    textColumn("Controller", "Whose the Gateways are", ["spec", "controllerName"]),
    {
      name: "Accepted",
      type: "string",
      description: "Status of the condition Accepted.",
      cell: (object) => textAt(conditionOf(object, "Accepted"), "status") ?? "Unknown",
    },
    ageColumn,
    textColumn("Description", "What it says of itself", ["spec", "description"], { wide: true }),
  ],
  validate: (object, old) => {
    const controller = textAt(object, "spec", "controllerName") ?? "";
    const before = textAt(old, "spec", "controllerName");
    return [
      ...(/^[a-z0-9.-]+\/[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/.test(controller)
        ? []
        : [invalid("spec.controllerName", controller, "must be a domain and a path, such as shallop.dev/gateway")]),
      ...(before !== undefined && before !== controller
        ? [invalid("spec.controllerName", controller, "Value is immutable")]
        : []),
    ];
  },
};
