import { isIP } from "node:net";
import type { StatusCause } from "../fault.ts";
import { type Json, listAt, numberAt, objectAt, textAt } from "../json.ts";
import { parseQuantity } from "../quantity.ts";
import { duplicate, invalid, notSupported, required } from "./cause.ts";
import { checkName } from "./name-rules.ts";

// k8s.io/kubernetes/pkg/apis/core/validation: what holds for a container in a pod and in a revision.

const portMax = 65_535;
const portRange = "must be between 1 and 65535, inclusive";
const protocols = ["SCTP", "TCP", "UDP"];
const environmentName = /^[\x20-<>-~]+$/;

/** Checks containers: names, images, environment, ports, resources. `path` is that of the list. */
export function validateContainers(containers: readonly Json[], path: string): StatusCause[] {
  const causes: StatusCause[] = containers.length === 0 ? [required(path)] : [];
  const names = new Set<string>();
  for (const [index, container] of containers.entries()) {
    const at = `${path}[${index}]`;
    const name = textAt(container, "name");
    if (name === undefined || name === "") causes.push(required(`${at}.name`));
    else if (names.has(name)) causes.push(duplicate(`${at}.name`, name));
    else causes.push(...checkName("label-1123", name, `${at}.name`));
    names.add(name ?? "");
    const image = textAt(container, "image") ?? "";
    if (image === "") causes.push(required(`${at}.image`));
    else if (image.trim() !== image) {
      causes.push(invalid(`${at}.image`, image, "must not have leading or trailing whitespace"));
    }
    causes.push(
      ...validateEnvironment(listAt(container, "env"), `${at}.env`),
      ...validatePorts(listAt(container, "ports"), `${at}.ports`),
      ...validateResources(container, `${at}.resources`),
    );
  }
  return causes;
}

function validateEnvironment(variables: readonly Json[], path: string): StatusCause[] {
  return variables.flatMap((variable, index) => {
    const name = textAt(variable, "name") ?? "";
    if (name === "") return [required(`${path}[${index}].name`)];
    if (environmentName.test(name)) return [];
    return [
      invalid(`${path}[${index}].name`, name, "a valid environment variable name must consist only of printable ASCII"),
    ];
  });
}

function validatePorts(ports: readonly Json[], path: string): StatusCause[] {
  return ports.flatMap((port, index) => {
    const number = numberAt(port, "containerPort") ?? 0;
    const protocol = textAt(port, "protocol") ?? "TCP";
    const causes: StatusCause[] = [];
    if (number === 0) causes.push(required(`${path}[${index}].containerPort`));
    else if (number < 1 || number > portMax) {
      causes.push(invalid(`${path}[${index}].containerPort`, number, portRange));
    }
    const hostPort = numberAt(port, "hostPort") ?? 0;
    if (hostPort < 0 || hostPort > portMax) causes.push(invalid(`${path}[${index}].hostPort`, hostPort, portRange));
    const hostIp = textAt(port, "hostIP") ?? "";
    if (hostIp !== "" && isIP(hostIp) === 0) {
      causes.push(
        invalid(`${path}[${index}].hostIP`, hostIp, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
      );
    }
    if (!protocols.includes(protocol)) causes.push(notSupported(`${path}[${index}].protocol`, protocol, protocols));
    return causes;
  });
}

function validateResources(container: Json, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const limits = objectAt(container, "resources", "limits");
  const requests = objectAt(container, "resources", "requests");
  for (const [list, values] of [
    ["limits", limits],
    ["requests", requests],
  ] as const) {
    for (const [name, value] of Object.entries(values)) {
      const amount = typeof value === "string" || typeof value === "number" ? parseQuantity(value) : undefined;
      if (amount !== undefined && amount < 0) {
        causes.push(invalid(`${path}.${list}.${name}`, value, "must be greater than or equal to 0"));
      }
    }
  }
  for (const [name, request] of Object.entries(requests)) {
    const limit = Object.hasOwn(limits, name) ? limits[name] : undefined;
    if (typeof request !== "string" || typeof limit !== "string") continue;
    if ((parseQuantity(request) ?? 0) > (parseQuantity(limit) ?? Infinity)) {
      causes.push(invalid(`${path}.requests`, request, `must be less than or equal to ${name} limit of ${limit}`));
    }
  }
  return causes;
}
