import type { StatusCause } from "../fault.ts";
import { isJsonObject, type Json, type JsonObject, listAt, numberAt, textAt, withAt } from "../json.ts";
import { isServiceAddress, serviceRange } from "../cluster-network.ts";
import { duplicate, invalid, required } from "./cause.ts";
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

export function validateCoreService(object: JsonObject): StatusCause[] {
  const ports = listAt(object, "spec", "ports");
  const causes: StatusCause[] = [];
  const clusterIp = textAt(object, "spec", "clusterIP");
  if (ports.length === 0 && clusterIp !== "None" && textAt(object, "spec", "type") !== "ExternalName")
    causes.push(required("spec.ports"));
  causes.push(...checkOneOf(textAt(object, "spec", "type"), "spec.type", ["ClusterIP", "LoadBalancer", "NodePort"]));
  if (clusterIp !== undefined && clusterIp !== "" && clusterIp !== "None" && !isServiceAddress(clusterIp))
    causes.push(invalid("spec.clusterIP", clusterIp, `must be empty, None, or an address of ${serviceRange}`));
  const names = new Set<string>();
  for (const [index, port] of ports.entries())
    causes.push(...validatePort(port, { index, names, count: ports.length }));
  return causes;
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
