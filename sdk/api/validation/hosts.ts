import { createRequire } from "node:module";
import type { RE2JS } from "re2js";
import type { StatusCause } from "../fault.ts";
import { isJsonObject, type Json, textAt } from "../json.ts";
import { forbidden, invalid, notSupported, required } from "./cause.ts";
import { nameFault } from "./name-rules.ts";

/** A DNS name, or one whose first label is `*` (Ingress, Gateway API). */
export function checkHost(host: string, path: string): StatusCause[] {
  const name = host.startsWith("*.") ? host.slice(2) : host;
  if (/^[0-9.]+$/.test(name)) return [invalid(path, host, "must be a DNS name, not an IP address")];
  const fault = nameFault("subdomain-1123", name);
  if (fault === undefined) return [];
  return [
    invalid(path, host, host.startsWith("*") ? `a wildcard DNS-1123 subdomain must start with '*.': ${fault}` : fault),
  ];
}

// RFC 9110, 5.6.2.
const tokenForm = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/;

export const checkHeaderName = (name: string, path: string): StatusCause[] =>
  tokenForm.test(name) ? [] : [invalid(path, name, "must be the name of a header: letters, digits and - (RFC 9110)")];

// RFC 9110, 5.5, without obsolete text.
export const checkHeaderValue = (value: string, path: string): StatusCause[] =>
  /^[\t\x20-\x7e]{0,4096}$/.test(value)
    ? []
    : [invalid(path, value, "must be the value of a header: visible ASCII characters, spaces and tabs")];

export const checkPort = (port: number | undefined, path: string): StatusCause[] =>
  port === undefined || (port >= 1 && port <= 65_535)
    ? []
    : [invalid(path, port, "must be between 1 and 65535, inclusive")];

/** `value` when it is one of `supported`; absent is fine. */
export const checkOneOf = (value: string | undefined, path: string, supported: readonly string[]): StatusCause[] =>
  value === undefined || supported.includes(value) ? [] : [notSupported(path, value, supported)];

const patternCharsMax = 1024;

/** A regular expression that has to match the whole of a text. */
export interface Pattern {
  test(text: string): boolean;
}

/**
 * Compiles a pattern in RE2's syntax; undefined when it is none. Patterns come from tenants and run in a gateway that all
 * share, over what anybody sends: RE2 takes a time that grows with the text, whatever the pattern, and has no back
 * references and no look-around.
 */
export function compilePattern(pattern: string): Pattern | undefined {
  engine ??= load("re2js") as Engine;
  try {
    const compiled = engine.RE2JS.compile(pattern);
    return { test: (text) => compiled.matches(text) };
  } catch {
    return undefined;
  }
}

// Most processes never see a pattern, and need not read the engine.
const load = createRequire(import.meta.url);
let engine: Engine | undefined;
interface Engine {
  readonly RE2JS: typeof RE2JS;
}

/** What is wrong with a regular expression that requests are matched with; undefined when nothing is. */
export function patternFault(pattern: string): string | undefined {
  if (pattern.length > patternCharsMax) return `must be no more than ${patternCharsMax} characters`;
  return compilePattern(pattern) === undefined
    ? "must be a regular expression in RE2's syntax, without back references and look-around"
    : undefined;
}

// Gateway API GEP-2257: a Go duration of at most four parts, each at most five digits.
export function checkGepDuration(text: string | undefined, path: string): StatusCause[] {
  if (text === undefined || /^([0-9]{1,5}(h|m|s|ms)){1,4}$/.test(text)) return [];
  return [invalid(path, text, "must be a duration such as 500ms, 10s or 1m30s")];
}

/** References to Secrets by which listeners name their certificates. */
export function checkSecretReference(reference: Json | undefined, path: string): StatusCause[] {
  if (!isJsonObject(reference)) return [required(path)];
  const kind = textAt(reference, "kind") ?? "Secret";
  const group = textAt(reference, "group") ?? "";
  return kind === "Secret" && group === "" ? [] : [forbidden(path, "certificates are taken from Secrets only")];
}
