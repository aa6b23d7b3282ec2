import type { CorsFilter } from "@shallop/sdk/api";
import type { HeaderChanges } from "../route/filters.ts";
import { headerValue } from "../route/predicates.ts";
import type { Match, RoutedRequest } from "../route/rule.ts";

const defaultMaxAgeSeconds = 5;

/** What the guest itself may have said of it: there is one answer, and it is the rule's. */
const corsHeaders: ReadonlySet<string> = new Set([
  "access-control-allow-origin",
  "access-control-allow-credentials",
  "access-control-allow-methods",
  "access-control-allow-headers",
  "access-control-expose-headers",
  "access-control-max-age",
]);

/** A preflight request (Fetch standard, 3.2.2). */
export const isPreflight = (method: string, headers: readonly string[]): boolean =>
  method === "OPTIONS" &&
  headerValue(headers, "origin") !== undefined &&
  headerValue(headers, "access-control-request-method") !== undefined;

/** Who knows the rules. */
export interface Matcher {
  match(request: RoutedRequest): Match | undefined;
}

/**
 * The rule of a request. A preflight asks about another request, and comes without its method: where no rule with CORS
 * takes it as it is, the one that takes that other request has the say, so that a rule for POST alone can be asked by pages.
 */
export function matchWithPreflight(rules: Matcher, request: RoutedRequest): Match | undefined {
  const own = rules.match(request);
  if (own?.rule.filters?.cors !== undefined || !isPreflight(request.method, request.headers)) return own;
  const method = headerValue(request.headers, "access-control-request-method") ?? "";
  const meant = rules.match({ ...request, method });
  return meant?.rule.filters?.cors === undefined ? own : meant;
}

/** Changes of the answer's head: what a browser is told; undefined when the request does not come from another origin. */
export function corsChanges(filter: CorsFilter, headers: readonly string[]): HeaderChanges | undefined {
  const origin = headerValue(headers, "origin");
  if (origin === undefined) return undefined;
  if (!allowsOrigin(filter, origin)) return { drop: corsHeaders, add: ["vary", "origin"] };
  const isAny = (filter.allowOrigins ?? []).includes("*") && filter.allowCredentials !== true;
  return {
    drop: corsHeaders,
    add: [
      ...["access-control-allow-origin", isAny ? "*" : origin],
      ...(isAny ? [] : ["vary", "origin"]),
      ...(filter.allowCredentials === true ? ["access-control-allow-credentials", "true"] : []),
      ...listHeader("access-control-expose-headers", filter.exposeHeaders),
    ],
  };
}

/** Headers of the answer to a preflight, flat. */
export function preflightHeaders(filter: CorsFilter, headers: readonly string[]): readonly string[] {
  const origin = headerValue(headers, "origin") ?? "";
  if (!allowsOrigin(filter, origin)) return ["vary", "origin"];
  const asked = (name: string): string | undefined => headerValue(headers, name);
  const named = (list: readonly string[] | undefined, wanted: string | undefined): readonly string[] | undefined =>
    list?.includes("*") === true && wanted !== undefined ? [wanted] : list;
  return [
    ...(corsChanges(filter, headers)?.add ?? []),
    ...listHeader("access-control-allow-methods", named(filter.allowMethods, asked("access-control-request-method"))),
    ...listHeader("access-control-allow-headers", named(filter.allowHeaders, asked("access-control-request-headers"))),
    ...["access-control-max-age", String(filter.maxAge ?? defaultMaxAgeSeconds)],
  ];
}

const listHeader = (name: string, values: readonly string[] = []): readonly string[] =>
  values.length === 0 ? [] : [name, values.join(", ")];

/** `*`, `https://example.com`, or `https://*.example.com`: a wildcard stands for one label or more. */
function allowsOrigin({ allowOrigins = [] }: CorsFilter, origin: string): boolean {
  return allowOrigins.some((allowed) => {
    if (allowed === "*" || allowed.toLowerCase() === origin.toLowerCase()) return true;
    const star = allowed.indexOf("*");
    if (star === -1) return false;
    const [before, after] = [allowed.slice(0, star).toLowerCase(), allowed.slice(star + 1).toLowerCase()];
    const text = origin.toLowerCase();
    if (!text.startsWith(before) || !text.endsWith(after)) return false;
    // Nothing that ends a host, whoever may send what is no origin (RFC 6454, 6.2).
    return /^[a-z0-9.-]+$/.test(text.slice(before.length, text.length - after.length));
  });
}
