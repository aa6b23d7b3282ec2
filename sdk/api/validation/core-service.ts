import type { StatusCause } from "../fault.ts";
import { dig, isJsonObject, type Json, jsonEqual, type JsonObject, listAt, numberAt, textAt, withAt } from "../json.ts";
import { isServiceAddress, serviceRange } from "../cluster-network.ts";
import { duplicate, forbidden, invalid, required } from "./cause.ts";
import { checkOneOf, checkPort } from "./hosts.ts";
import { checkName } from "./name-rules.ts";

// kubernetes/pkg/apis/core/validation/validation.go, ValidateService, and v1/defaults.go.

/** A port that names no target means the same port of the pods. */
export function withTargetPorts(object: JsonObject): JsonObject {
  const ports = listAt(object, "spec", "ports");
  if (ports.length === 0) return object;
  const full = ports.map((port) =>
    isJsonObject(port) && port["targetPort"] === undefined && port["port"] !== undefined
      ? { ...port, targetPort: port["port"] }
      : port,
  );
  return withAt(object, ["spec", "ports"], full);
}

/** Whose policy of traffic inside the cluster nobody asks: a name outside has none. */
export function withTrafficPolicy(object: JsonObject): JsonObject {
  const isTold = dig(object, "spec", "internalTrafficPolicy") !== undefined || !isJsonObject(object["spec"]);
  return isTold || isExternalName(object) ? object : withAt(object, ["spec", "internalTrafficPolicy"], "Cluster");
}

export const isExternalName = (object: JsonObject | undefined): boolean =>
  textAt(object, "spec", "type") === "ExternalName";

export function validateCoreService(object: JsonObject, old: JsonObject | undefined): StatusCause[] {
  const ports = listAt(object, "spec", "ports");
  const causes: StatusCause[] = [];
  const clusterIp = textAt(object, "spec", "clusterIP");
  if (ports.length === 0 && clusterIp !== "None" && !isExternalName(object)) causes.push(required("spec.ports"));
  const types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
  causes.push(...checkOneOf(textAt(object, "spec", "type"), "spec.type", types));
  if (isExternalName(object)) causes.push(...validateExternalName(object, old));
  else if (clusterIp !== undefined && clusterIp !== "" && clusterIp !== "None" && !isServiceAddress(clusterIp))
    causes.push(invalid("spec.clusterIP", clusterIp, `must be empty, None, or an address of ${serviceRange}`));
  const names = new Set<string>();
  for (const [index, port] of ports.entries())
    causes.push(...validatePort(port, { index, names, count: ports.length }));
  return causes;
}

/** What an address has. Of a Service that had one it may still be there, and goes when it is written. */
const addressFields = ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"];

/** A Service without what an address has. */
export const withoutAddress = (object: JsonObject): JsonObject =>
  addressFields.reduce((rest, field) => withAt(rest, ["spec", field], undefined), object);

function validateExternalName(object: JsonObject, old: JsonObject | undefined): StatusCause[] {
  const causes = addressFields.flatMap((field) => {
    const value = dig(object, "spec", field);
    const isEmpty = value === undefined || value === "" || jsonEqual(value, []);
    if (isEmpty || jsonEqual(value, dig(old, "spec", field))) return [];
    return [forbidden(`spec.${field}`, "may not be set for ExternalName services")];
  });
  // A last dot says that it is whole.
  const name = (textAt(object, "spec", "externalName") ?? "").replace(/\.$/, "");
  return [
    ...causes,
    ...(name === "" ? [required("spec.externalName")] : checkName("subdomain-1123", name, "spec.externalName")),
  ];
}

function validatePort(
  port: Json,
  at: { readonly index: number; readonly names: Set<string>; readonly count: number },
): StatusCause[] {
  const path = `spec.ports[${at.index}]`;
  const name = textAt(port, "name") ?? "";
  const causes = checkPort(numberAt(port, "port") ?? 0, `${path}.port`);
  causes.push(...checkOneOf(textAt(port, "protocol"), `${path}.protocol`, ["SCTP", "TCP", "UDP"]));
  if (name === "") return at.count > 1 ? [...causes, required(`${path}.name`)] : causes;
  causes.push(...checkName("label-1123", name, `${path}.name`));
  if (at.names.has(name)) causes.push(duplicate(`${path}.name`, name));
  at.names.add(name);
  return causes;
}
