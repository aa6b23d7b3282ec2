import type { StatusCause } from "../fault.ts";
import { dig, type Json, type JsonObject, listAt, numberAt, textAt } from "../json.ts";
import { forbidden, invalid, required } from "./cause.ts";
import { checkHost, checkOneOf, checkPort } from "./hosts.ts";
import { checkPath } from "./http-route.ts";
import { nameFault } from "./name-rules.ts";

// kubernetes/pkg/apis/networking/validation/validation.go, ValidateIngressSpec.

export function validateIngress(object: JsonObject): StatusCause[] {
  const causes: StatusCause[] = [];
  const rules = listAt(object, "spec", "rules");
  const fallback = dig(object, "spec", "defaultBackend");
  if (rules.length === 0 && fallback === undefined)
    causes.push(invalid("spec", null, "either `defaultBackend` or `rules` must be specified"));
  if (fallback !== undefined) causes.push(...validateIngressBackend(fallback, "spec.defaultBackend"));
  for (const [index, rule] of rules.entries()) {
    const at = `spec.rules[${index}]`;
    const host = textAt(rule, "host") ?? "";
    if (host !== "") causes.push(...checkHost(host, `${at}.host`));
    const paths = listAt(rule, "http", "paths");
    if (dig(rule, "http") !== undefined && paths.length === 0) causes.push(required(`${at}.http.paths`));
    for (const [number, path] of paths.entries()) causes.push(...validatePath(path, `${at}.http.paths[${number}]`));
  }
  for (const [index, tls] of listAt(object, "spec", "tls").entries()) {
    const at = `spec.tls[${index}]`;
    for (const [number, host] of listAt(tls, "hosts").entries())
      if (typeof host === "string") causes.push(...checkHost(host, `${at}.hosts[${number}]`));
    const secret = textAt(tls, "secretName") ?? "";
    const fault = secret === "" ? undefined : nameFault("subdomain-1123", secret);
    if (fault !== undefined) causes.push(invalid(`${at}.secretName`, secret, fault));
  }
  return causes;
}

function validatePath(path: Json, at: string): StatusCause[] {
  const type = textAt(path, "pathType");
  const text = textAt(path, "path") ?? "";
  const causes = validateIngressBackend(dig(path, "backend"), `${at}.backend`);
  if (type === undefined) causes.push(required(`${at}.pathType`, "pathType must be specified"));
  causes.push(...checkOneOf(type, `${at}.pathType`, ["Exact", "ImplementationSpecific", "Prefix"]));
  if (type === "Exact" || type === "Prefix" || text !== "") causes.push(...checkPath(text, `${at}.path`));
  return causes;
}

function validateIngressBackend(backend: Json | undefined, at: string): StatusCause[] {
  if (backend === undefined) return [required(at)];
  if (dig(backend, "resource") !== undefined) return [forbidden(`${at}.resource`, "backends are services here")];
  const name = textAt(backend, "service", "name") ?? "";
  const number = numberAt(backend, "service", "port", "number");
  const port = textAt(backend, "service", "port", "name");
  const causes = checkPort(number, `${at}.service.port.number`);
  if (name === "") causes.push(required(`${at}.service.name`));
  if (number === undefined && port === undefined)
    causes.push(required(`${at}.service.port`, "port name or number is required"));
  if (number !== undefined && port !== undefined)
    causes.push(invalid(`${at}.service.port`, port, "cannot set both port name & port number"));
  return causes;
}
