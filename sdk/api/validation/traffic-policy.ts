import type { StatusCause } from "../fault.ts";
import { dig, isJsonObject, type Json, type JsonObject, listAt, numberAt, textAt } from "../json.ts";
import { parseDurationMs } from "../../internal/duration.ts";
import { parseQuantity } from "../quantity.ts";
import { forbidden, invalid, required } from "./cause.ts";
import { checkHeaderName, checkOneOf } from "./hosts.ts";
import {
  validateFilters,
  validateFramingHeader,
  validateRetry,
  validateSession,
  validateTimeouts,
} from "./route-filters.ts";

/** What a policy may be attached to. */
const targets: readonly string[] = [
  "serving.knative.dev/Route",
  "serving.knative.dev/Service",
  "serving.knative.dev/DomainMapping",
  "networking.k8s.io/Ingress",
  "gateway.networking.k8s.io/HTTPRoute",
  "gateway.networking.k8s.io/Gateway",
];
const targetsMax = 16;
const rateLimitsMax = 8;
const addressesMax = 256;
const jwksCharsMax = 64 * 1024;

export function validateTrafficPolicy(object: JsonObject): StatusCause[] {
  const spec = dig(object, "spec");
  return [
    ...validateTargets(listAt(spec, "targetRefs")),
    ...validateFilters(listAt(spec, "filters"), "spec.filters"),
    ...validateTimeouts(dig(spec, "timeouts"), "spec.timeouts"),
    ...validateRetry(dig(spec, "retry"), "spec.retry"),
    ...validateSession(dig(spec, "sessionPersistence"), "spec.sessionPersistence"),
    ...validateRateLimits(listAt(spec, "rateLimits")),
    ...validateOutliers(dig(spec, "outlierDetection")),
    ...validateCompression(dig(spec, "compression")),
    ...validateBodyMax(dig(spec, "requestBodyMax")),
    ...validateJwt(dig(spec, "jwt")),
    ...validateBasicAuth(dig(spec, "basicAuth")),
    ...validateAddresses(listAt(spec, "clients", "allow"), "spec.clients.allow"),
    ...validateAddresses(listAt(spec, "clients", "deny"), "spec.clients.deny"),
  ];
}

function validateTargets(references: readonly Json[]): StatusCause[] {
  if (references.length === 0) return [required("spec.targetRefs", "what the policy is for")];
  if (references.length > targetsMax)
    return [invalid("spec.targetRefs", references.length, `must have at most ${targetsMax} items`)];
  return references.flatMap((reference, index) => {
    const kind = `${textAt(reference, "group") ?? ""}/${textAt(reference, "kind") ?? ""}`;
    return checkOneOf(kind, `spec.targetRefs[${index}].kind`, targets);
  });
}

const validateRateLimits = (limits: readonly Json[]): StatusCause[] =>
  limits.length > rateLimitsMax
    ? [invalid("spec.rateLimits", limits.length, `must have at most ${rateLimitsMax} items`)]
    : limits.flatMap((limit, index) => {
        const at = `spec.rateLimits[${index}]`;
        const requests = numberAt(limit, "requests") ?? 0;
        const burst = numberAt(limit, "burst");
        return [
          ...(requests < 1 ? [invalid(`${at}.requests`, requests, "must be at least 1")] : []),
          ...(burst !== undefined && burst < 1 ? [invalid(`${at}.burst`, burst, "must be at least 1")] : []),
          ...checkTime(textAt(limit, "period"), `${at}.period`),
          ...checkOneOf(textAt(limit, "per"), `${at}.per`, ["Client", "Route"]),
        ];
      });

function checkTime(text: string | undefined, at: string): StatusCause[] {
  if (text === undefined) return [];
  const durationMs = parseDurationMs(text);
  return durationMs !== undefined && durationMs >= 1 && durationMs <= 86_400_000
    ? []
    : [invalid(at, text, "must be a duration from 1ms to 24h, such as 1s or 1m30s")];
}

function validateOutliers(detection: Json | undefined): StatusCause[] {
  const errors = numberAt(detection, "consecutiveErrors");
  const percent = numberAt(detection, "maxEjectionPercent");
  const at = "spec.outlierDetection";
  return [
    ...checkTime(textAt(detection, "baseEjectionTime"), `${at}.baseEjectionTime`),
    ...(errors !== undefined && errors < 1 ? [invalid(`${at}.consecutiveErrors`, errors, "must be at least 1")] : []),
    ...(percent !== undefined && (percent < 0 || percent > 100)
      ? [invalid(`${at}.maxEjectionPercent`, percent, "must be between 0 and 100")]
      : []),
  ];
}

function validateCompression(compression: Json | undefined): StatusCause[] {
  const minBytes = numberAt(compression, "minBytes") ?? 0;
  const causes = listAt(compression, "algorithms").flatMap((algorithm, index) =>
    typeof algorithm === "string"
      ? checkOneOf(algorithm, `spec.compression.algorithms[${index}]`, ["br", "gzip", "zstd"])
      : [],
  );
  return minBytes < 0 ? [...causes, invalid("spec.compression.minBytes", minBytes, "must be at least 0")] : causes;
}

function validateBodyMax(value: Json | undefined): StatusCause[] {
  if (value === undefined) return [];
  const bytes = typeof value === "string" || typeof value === "number" ? parseQuantity(value) : undefined;
  return bytes !== undefined && bytes >= 0 ? [] : [invalid("spec.requestBodyMax", value, "must be a size such as 1Mi")];
}

function validateJwt(jwt: Json | undefined): StatusCause[] {
  if (jwt === undefined) return [];
  const inline = textAt(jwt, "jwks");
  const secret = textAt(jwt, "jwksSecret", "name");
  const causes: StatusCause[] = [];
  if ((textAt(jwt, "issuer") ?? "") === "") causes.push(required("spec.jwt.issuer"));
  if (inline === undefined && secret === undefined) causes.push(required("spec.jwt.jwks", "or set jwksSecret"));
  if (inline !== undefined && secret !== undefined)
    causes.push(forbidden("spec.jwt.jwksSecret", "may not be set with jwks"));
  if (inline !== undefined && !isKeySet(inline))
    causes.push(invalid("spec.jwt.jwks", inline.slice(0, 64), "must be a JSON Web Key Set (RFC 7517, 5)"));
  const header = textAt(jwt, "header");
  if (header !== undefined) causes.push(...checkHeaderName(header, "spec.jwt.header"));
  for (const [index, item] of listAt(jwt, "claimsToHeaders").entries()) {
    const [name, at] = [textAt(item, "header") ?? "", `spec.jwt.claimsToHeaders[${index}].header`];
    causes.push(...checkHeaderName(name, at), ...validateFramingHeader(name, at));
  }
  return causes;
}

function isKeySet(text: string): boolean {
  if (text.length > jwksCharsMax) return false;
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) && Array.isArray(value["keys"]);
  } catch {
    return false;
  }
}

function validateBasicAuth(basicAuth: Json | undefined): StatusCause[] {
  if (basicAuth === undefined) return [];
  const causes: StatusCause[] = [];
  if (listAt(basicAuth, "secrets").length === 0)
    causes.push(required("spec.basicAuth.secrets", "Secrets of type kubernetes.io/basic-auth"));
  const realm = textAt(basicAuth, "realm");
  if (realm !== undefined && !/^[ !#-[\]-~]{1,128}$/.test(realm))
    causes.push(invalid("spec.basicAuth.realm", realm, "must be plain ASCII without quotes and backslashes"));
  return causes;
}

function validateAddresses(addresses: readonly Json[], at: string): StatusCause[] {
  if (addresses.length > addressesMax)
    return [invalid(at, addresses.length, `must have at most ${addressesMax} items`)];
  return addresses.flatMap((address, index) =>
    typeof address === "string" && !isCidr(address)
      ? [invalid(`${at}[${index}]`, address, "must be an IP address or a range such as 10.0.0.0/8")]
      : [],
  );
}

/** An IP address or a CIDR range (RFC 4632). */
function isCidr(text: string): boolean {
  const [, address = "", bits] = /^([0-9a-fA-F.:]{2,45})(?:\/([0-9]{1,3}))?$/.exec(text) ?? [];
  const isV6 = address.includes(":");
  if (bits !== undefined && Number(bits) > (isV6 ? 128 : 32)) return false;
  if (isV6) return URL.canParse(`http://[${address}]/`);
  const parts = address.split(".");
  return parts.length === 4 && parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) <= 255);
}
