import type { StatusCause } from "../fault.ts";
import { dig, type Json, type JsonObject, listAt, numberAt, textAt } from "../json.ts";
import { duplicate, invalid } from "./cause.ts";
import { checkHeaderName, checkHost, checkOneOf, patternFault } from "./hosts.ts";
import {
  listMax,
  validateBackend,
  validateFilters,
  validateRetry,
  validateSession,
  validateTimeouts,
} from "./route-filters.ts";

// kubernetes-sigs/gateway-api, apis/v1/httproute_types.go.
const rulesMax = 16;
const matchesMax = 64;
const backendsMax = 16;
const hostnamesMax = 16;

const methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/** Everything that a HTTPRoute can have wrong by itself. */
export function validateHttpRoute(object: JsonObject): StatusCause[] {
  const rules = listAt(object, "spec", "rules");
  const hostnames = listAt(object, "spec", "hostnames");
  const causes: StatusCause[] = [...tooMany(rules, "spec.rules", rulesMax)];
  causes.push(...tooMany(hostnames, "spec.hostnames", hostnamesMax));
  for (const [index, host] of hostnames.entries()) {
    if (typeof host === "string") causes.push(...checkHost(host, `spec.hostnames[${index}]`));
  }
  const names = new Set<string>();
  for (const [index, rule] of rules.entries()) {
    const at = `spec.rules[${index}]`;
    const name = textAt(rule, "name");
    if (name !== undefined && names.has(name)) causes.push(duplicate(`${at}.name`, name));
    if (name !== undefined) names.add(name);
    causes.push(...validateRule(rule, at));
  }
  return causes;
}

const tooMany = (items: readonly Json[], path: string, max: number): StatusCause[] =>
  items.length > max ? [invalid(path, items.length, `must have at most ${max} items`)] : [];

function validateRule(rule: Json, path: string): StatusCause[] {
  const matches = listAt(rule, "matches");
  const backends = listAt(rule, "backendRefs");
  const filters = listAt(rule, "filters");
  const causes = [
    ...tooMany(matches, `${path}.matches`, matchesMax),
    ...tooMany(backends, `${path}.backendRefs`, backendsMax),
    ...validateFilters(filters, `${path}.filters`),
    ...validateTimeouts(dig(rule, "timeouts"), `${path}.timeouts`),
    ...validateRetry(dig(rule, "retry"), `${path}.retry`),
    ...validateSession(dig(rule, "sessionPersistence"), `${path}.sessionPersistence`),
    ...matches.flatMap((match, index) => validateMatch(match, `${path}.matches[${index}]`)),
  ];
  const replacesPrefix = filters.some(
    (filter) =>
      textAt(filter, "urlRewrite", "path", "type") === "ReplacePrefixMatch" ||
      textAt(filter, "requestRedirect", "path", "type") === "ReplacePrefixMatch",
  );
  const isPrefix = (match: Json): boolean => (textAt(match, "path", "type") ?? "PathPrefix") === "PathPrefix";
  if (replacesPrefix && !matches.every(isPrefix))
    causes.push(invalid(`${path}.filters`, "ReplacePrefixMatch", "wants every match of the rule to be a PathPrefix"));
  if (backends.length > 0 && filters.some((filter) => textAt(filter, "type") === "RequestRedirect"))
    causes.push(invalid(`${path}.backendRefs`, backends.length, "a rule that redirects has no backends"));
  for (const [index, backend] of backends.entries()) {
    const at = `${path}.backendRefs[${index}]`;
    const weight = numberAt(backend, "weight") ?? 1;
    causes.push(...validateBackend(backend, at), ...validateFilters(listAt(backend, "filters"), `${at}.filters`));
    if (weight < 0 || weight > 1_000_000) causes.push(invalid(`${at}.weight`, weight, "must be between 0 and 1000000"));
  }
  return causes;
}

function validateMatch(match: Json, path: string): StatusCause[] {
  const type = textAt(match, "path", "type") ?? "PathPrefix";
  const value = textAt(match, "path", "value") ?? "/";
  const causes = checkOneOf(type, `${path}.path.type`, ["Exact", "PathPrefix", "RegularExpression"]);
  causes.push(...checkOneOf(textAt(match, "method"), `${path}.method`, methods));
  if (type === "RegularExpression") {
    const fault = patternFault(value);
    if (fault !== undefined) causes.push(invalid(`${path}.path.value`, value, fault));
  } else causes.push(...checkPath(value, `${path}.path.value`));
  for (const list of ["headers", "queryParams"]) {
    causes.push(...tooMany(listAt(match, list), `${path}.${list}`, listMax));
    for (const [index, one] of listAt(match, list).entries()) {
      const at = `${path}.${list}[${index}]`;
      causes.push(...checkOneOf(textAt(one, "type"), `${at}.type`, ["Exact", "RegularExpression"]));
      if (list === "headers") causes.push(...checkHeaderName(textAt(one, "name") ?? "", `${at}.name`));
      const fault = textAt(one, "type") === "RegularExpression" ? patternFault(textAt(one, "value") ?? "") : undefined;
      if (fault !== undefined) causes.push(invalid(`${at}.value`, textAt(one, "value"), fault));
    }
  }
  return causes;
}

/** A path that requests are compared with: absolute, and without parts that could be read in two ways. */
export function checkPath(path: string, at: string): StatusCause[] {
  if (!path.startsWith("/")) return [invalid(at, path, "must be an absolute path")];
  if (path.length > 1024) return [invalid(at, path.slice(0, 64), "must be no more than 1024 characters")];
  const bad = ["//", "/./", "/../", "%2f", "%2F", "#"].find((part) => path.includes(part));
  if (bad !== undefined) return [invalid(at, path, `must not contain ${bad}`)];
  if (path.endsWith("/..") || path.endsWith("/.")) return [invalid(at, path, "must not end with /. or /..")];
  return [];
}
