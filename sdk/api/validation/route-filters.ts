import type { StatusCause } from "../fault.ts";
import { dig, type Json, listAt, numberAt, objectAt, textAt } from "../json.ts";
import { duplicate, forbidden, invalid, required } from "./cause.ts";
import { parseDurationMs } from "../../internal/duration.ts";
import { nameFault } from "./name-rules.ts";
import { checkGepDuration, checkHeaderName, checkHeaderValue, checkHost, checkOneOf, checkPort } from "./hosts.ts";

// kubernetes-sigs/gateway-api, apis/v1/httproute_types.go: the rules of its CEL expressions, as code.

/** The member of a filter that its type wants. */
const memberByType: Readonly<Record<string, string>> = {
  RequestHeaderModifier: "requestHeaderModifier",
  ResponseHeaderModifier: "responseHeaderModifier",
  RequestMirror: "requestMirror",
  RequestRedirect: "requestRedirect",
  URLRewrite: "urlRewrite",
  CORS: "cors",
  ExtensionRef: "extensionRef",
};

const repeatable: ReadonlySet<string> = new Set(["RequestMirror", "ExtensionRef"]);
const filtersMax = 16;

/** Filters of a rule, a backend or a policy. */
export function validateFilters(filters: readonly Json[], path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  if (filters.length > filtersMax) causes.push(invalid(path, filters.length, `must have at most ${filtersMax} items`));
  const seen = new Set<string>();
  for (const [index, filter] of filters.entries()) {
    const at = `${path}[${index}]`;
    const type = textAt(filter, "type") ?? "";
    const member = Object.hasOwn(memberByType, type) ? memberByType[type] : undefined;
    if (member === undefined) {
      causes.push(...checkOneOf(type, `${at}.type`, Object.keys(memberByType)));
      continue;
    }
    if (seen.has(type) && !repeatable.has(type)) causes.push(duplicate(`${at}.type`, type));
    seen.add(type);
    if (dig(filter, member) === undefined) causes.push(required(`${at}.${member}`, `for the type ${type}`));
    for (const other of Object.values(memberByType)) {
      if (other !== member && dig(filter, other) !== undefined)
        causes.push(forbidden(`${at}.${other}`, `may not be set with the type ${type}`));
    }
    causes.push(...validateFilter(filter, at));
  }
  if (seen.has("RequestRedirect") && seen.has("URLRewrite"))
    causes.push(forbidden(path, "may have a URLRewrite or a RequestRedirect, not both"));
  return causes;
}

function validateFilter(filter: Json, path: string): StatusCause[] {
  const redirect = objectAt(filter, "requestRedirect");
  const rewrite = objectAt(filter, "urlRewrite");
  return [
    ...validateHeaderFilter(dig(filter, "requestHeaderModifier"), `${path}.requestHeaderModifier`),
    ...validateHeaderFilter(dig(filter, "responseHeaderModifier"), `${path}.responseHeaderModifier`),
    ...checkOneOf(textAt(redirect, "scheme"), `${path}.requestRedirect.scheme`, ["http", "https"]),
    ...hostOf(redirect, `${path}.requestRedirect`),
    ...checkPort(numberAt(redirect, "port"), `${path}.requestRedirect.port`),
    ...validateStatusCode(numberAt(redirect, "statusCode"), `${path}.requestRedirect.statusCode`),
    ...validatePathModifier(dig(redirect, "path"), `${path}.requestRedirect.path`),
    ...hostOf(rewrite, `${path}.urlRewrite`),
    ...validatePathModifier(dig(rewrite, "path"), `${path}.urlRewrite.path`),
    ...validateMirror(dig(filter, "requestMirror"), `${path}.requestMirror`),
    ...validateCors(dig(filter, "cors"), `${path}.cors`),
  ];
}

function hostOf(value: Json, path: string): StatusCause[] {
  const host = textAt(value, "hostname");
  if (host === undefined) return [];
  if (host.startsWith("*")) return [invalid(`${path}.hostname`, host, "must be one host, without a wildcard")];
  return checkHost(host, `${path}.hostname`);
}

function validateStatusCode(code: number | undefined, path: string): StatusCause[] {
  const codes = [301, 302, 303, 307, 308];
  return code === undefined || codes.includes(code) ? [] : [invalid(path, code, `must be one of ${codes.join(", ")}`)];
}

function validatePathModifier(modifier: Json | undefined, path: string): StatusCause[] {
  if (modifier === undefined) return [];
  const type = textAt(modifier, "type");
  const member = type === "ReplaceFullPath" ? "replaceFullPath" : "replacePrefixMatch";
  const causes = checkOneOf(type, `${path}.type`, ["ReplaceFullPath", "ReplacePrefixMatch"]);
  const text = textAt(modifier, member);
  if (text === undefined) causes.push(required(`${path}.${member}`));
  else if (!/^[\x21\x22\x24-\x7e]{0,1024}$/.test(text) || (text !== "" && !text.startsWith("/")))
    causes.push(invalid(`${path}.${member}`, text, "must be a path that begins with /"));
  else if (member === "replacePrefixMatch" && text.includes("?"))
    causes.push(invalid(`${path}.${member}`, text, "must not contain a query: more of the path follows it"));
  return causes;
}

function validateHeaderFilter(filter: Json | undefined, path: string): StatusCause[] {
  if (filter === undefined) return [];
  const causes: StatusCause[] = [];
  for (const list of ["set", "add", "remove"]) {
    const count = listAt(filter, list).length;
    if (count > listMax) causes.push(invalid(`${path}.${list}`, count, `must have at most ${listMax} items`));
  }
  for (const list of ["set", "add"]) {
    for (const [index, header] of listAt(filter, list).entries()) {
      const at = `${path}.${list}[${index}]`;
      causes.push(...checkHeaderName(textAt(header, "name") ?? "", `${at}.name`));
      causes.push(...checkHeaderValue(textAt(header, "value") ?? "", `${at}.value`));
      causes.push(...validateFramingHeader(textAt(header, "name") ?? "", `${at}.name`));
    }
  }
  for (const [index, name] of listAt(filter, "remove").entries()) {
    if (typeof name === "string") causes.push(...validateFramingHeader(name, `${path}.remove[${index}]`));
  }
  return causes;
}

// Where a message ends, and what belongs to one connection, is the gateway's own business.
const framing: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "host",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

// What the gateway says to pods: whoever routes to another namespace's function is not to say it in the gateway's name.
const ownPrefix = "x-shallop-";
// Of a list of headers, matches or the like, as the CRD has it.
export const listMax = 16;

export function validateFramingHeader(name: string, path: string): StatusCause[] {
  const lower = name.toLowerCase();
  const isOurs = framing.has(lower) || lower.startsWith(ownPrefix);
  return isOurs ? [forbidden(path, `${name} is set by the gateway itself`)] : [];
}

function validateMirror(mirror: Json | undefined, path: string): StatusCause[] {
  if (mirror === undefined) return [];
  const percent = numberAt(mirror, "percent");
  const numerator = numberAt(mirror, "fraction", "numerator");
  const denominator = numberAt(mirror, "fraction", "denominator") ?? 100;
  const causes = validateBackend(dig(mirror, "backendRef"), `${path}.backendRef`);
  if (percent !== undefined && (percent < 0 || percent > 100))
    causes.push(invalid(`${path}.percent`, percent, "must be between 0 and 100"));
  if (percent !== undefined && numerator !== undefined)
    causes.push(forbidden(`${path}.fraction`, "may not be set with percent"));
  if (numerator !== undefined && (numerator < 0 || denominator < 1 || numerator > denominator))
    causes.push(invalid(`${path}.fraction.numerator`, numerator, "must be between 0 and the denominator"));
  return causes;
}

function validateCors(cors: Json | undefined, path: string): StatusCause[] {
  if (cors === undefined) return [];
  const causes: StatusCause[] = [];
  for (const [index, origin] of listAt(cors, "allowOrigins").entries()) {
    if (typeof origin === "string" && !/^(\*|https?:\/\/(\*|\*\.)?[A-Za-z0-9.-]*(:[0-9]{1,5})?)$/.test(origin))
      causes.push(invalid(`${path}.allowOrigins[${index}]`, origin, "must be * or scheme://host[:port]"));
  }
  const maxAge = numberAt(cors, "maxAge");
  if (maxAge !== undefined && maxAge < 1) causes.push(invalid(`${path}.maxAge`, maxAge, "must be at least 1 second"));
  return causes;
}

/** The kinds that a backend may be: core Services, and the ones of Knative. */
const backendKinds: readonly string[] = ["/Service", "serving.knative.dev/Service", "serving.knative.dev/Route"];

function checkName(name: string, path: string): StatusCause[] {
  const fault = nameFault("subdomain-1123", name);
  return fault === undefined ? [] : [invalid(path, name, fault)];
}

/** A reference to what answers requests. That it can be resolved is for the route's status to say. */
export function validateBackend(backend: Json | undefined, path: string): StatusCause[] {
  if (backend === undefined) return [required(path)];
  const name = textAt(backend, "name") ?? "";
  const kind = `${textAt(backend, "group") ?? ""}/${textAt(backend, "kind") ?? "Service"}`;
  const causes = checkPort(numberAt(backend, "port"), `${path}.port`);
  if (name === "") causes.push(required(`${path}.name`));
  else causes.push(...checkName(name, `${path}.name`));
  const namespace = textAt(backend, "namespace");
  if (namespace !== undefined) causes.push(...checkName(namespace, `${path}.namespace`));
  if (kind === backendKinds[0] && numberAt(backend, "port") === undefined)
    causes.push(required(`${path}.port`, "Must have port for Service reference"));
  return causes;
}

/** Time limits of a rule: that of one attempt is within that of the request. */
export function validateTimeouts(timeouts: Json | undefined, path: string): StatusCause[] {
  const [request, attempt] = [textAt(timeouts, "request"), textAt(timeouts, "backendRequest")];
  const causes = [
    ...checkGepDuration(request, `${path}.request`),
    ...checkGepDuration(attempt, `${path}.backendRequest`),
  ];
  const wholeMs = parseDurationMs(request ?? "") ?? 0;
  // 0s is no limit.
  if (causes.length === 0 && wholeMs > 0 && (parseDurationMs(attempt ?? "") ?? 0) > wholeMs)
    causes.push(invalid(`${path}.backendRequest`, attempt, "cannot be longer than the request timeout"));
  return causes;
}

// Nobody waits longer: each further try waits twice as long.
const backoffMsMax = 60_000;

export function validateRetry(retry: Json | undefined, path: string): StatusCause[] {
  const backoff = textAt(retry, "backoff");
  const causes = checkGepDuration(backoff, `${path}.backoff`);
  if (causes.length === 0 && (parseDurationMs(backoff ?? "") ?? 0) > backoffMsMax)
    causes.push(invalid(`${path}.backoff`, backoff, "must be at most 1m"));
  const attempts = numberAt(retry, "attempts");
  if (attempts !== undefined && (attempts < 0 || attempts > 10))
    causes.push(invalid(`${path}.attempts`, attempts, "must be between 0 and 10"));
  for (const [index, code] of listAt(retry, "codes").entries()) {
    if (typeof code === "number" && (code < 400 || code > 599))
      causes.push(invalid(`${path}.codes[${index}]`, code, "must be between 400 and 599"));
  }
  return causes;
}

export function validateSession(session: Json | undefined, path: string): StatusCause[] {
  if (session === undefined) return [];
  const name = textAt(session, "sessionName");
  return [
    ...checkOneOf(textAt(session, "type"), `${path}.type`, ["Cookie", "Header"]),
    ...checkOneOf(textAt(session, "cookieConfig", "lifetimeType"), `${path}.cookieConfig.lifetimeType`, [
      "Permanent",
      "Session",
    ]),
    ...checkGepDuration(textAt(session, "absoluteTimeout"), `${path}.absoluteTimeout`),
    ...checkGepDuration(textAt(session, "idleTimeout"), `${path}.idleTimeout`),
    ...(name === undefined ? [] : checkHeaderName(name, `${path}.sessionName`)),
  ];
}
