import type {
  BackendReference,
  CorsFilter,
  HeaderFilter,
  HttpRouteFilter,
  MirrorFilter,
  PathModifier,
  RedirectFilter,
} from "@shallop/sdk/api";

/** The filters of a rule, compiled: what is done with a request that it matches, and with the answer. */

export interface HeaderChanges {
  /** Names that are taken away, those that are set among them. */
  readonly drop: ReadonlySet<string>;
  /** Flat, to be added. */
  readonly add: readonly string[];
}

interface Mirror {
  readonly filter: MirrorFilter;
  /** Share of requests, of a million. */
  readonly perMillion: number;
}

export interface CompiledFilters {
  readonly requestHeaders: HeaderChanges | undefined;
  readonly responseHeaders: HeaderChanges | undefined;
  readonly redirect: RedirectFilter | undefined;
  readonly rewriteHost: string | undefined;
  readonly rewritePath: PathModifier | undefined;
  readonly mirrors: readonly Mirror[];
  readonly cors: CorsFilter | undefined;
  /** A filter that this gateway does not have: the specification wants such requests refused, not passed on unchanged. */
  readonly isUnknown: boolean;
}

/**
 * Undefined when there is nothing to do.
 * @param mayMirror whether a mirror may be used: what is of another namespace has to be granted, as a backend has
 */
export function compileFilters(
  filters: readonly HttpRouteFilter[],
  mayMirror: (to: BackendReference) => boolean,
): CompiledFilters | undefined {
  if (filters.length === 0) return undefined;
  const known = new Set([
    "RequestHeaderModifier",
    "ResponseHeaderModifier",
    "RequestMirror",
    "RequestRedirect",
    "URLRewrite",
    "CORS",
  ]);
  const rewrite = filters.find(({ urlRewrite }) => urlRewrite !== undefined)?.urlRewrite;
  return {
    requestHeaders: compileHeaders(filters.map(({ requestHeaderModifier }) => requestHeaderModifier)),
    responseHeaders: compileHeaders(filters.map(({ responseHeaderModifier }) => responseHeaderModifier)),
    redirect: filters.find(({ requestRedirect }) => requestRedirect !== undefined)?.requestRedirect,
    rewriteHost: rewrite?.hostname,
    rewritePath: rewrite?.path,
    mirrors: filters.flatMap(({ requestMirror }) =>
      requestMirror === undefined || !mayMirror(requestMirror.backendRef)
        ? []
        : [{ filter: requestMirror, perMillion: shareOf(requestMirror) }],
    ),
    cors: filters.find(({ cors }) => cors !== undefined)?.cors,
    isUnknown: filters.some(({ type }) => !known.has(type)),
  };
}

export function compileHeaders(filters: readonly (HeaderFilter | undefined)[]): HeaderChanges | undefined {
  const drop = new Set<string>();
  const add: string[] = [];
  for (const filter of filters) {
    for (const name of filter?.remove ?? []) drop.add(name.toLowerCase());
    for (const { name, value } of filter?.set ?? []) {
      drop.add(name.toLowerCase());
      add.push(name.toLowerCase(), value);
    }
    for (const { name, value } of filter?.add ?? []) add.push(name.toLowerCase(), value);
  }
  return drop.size === 0 && add.length === 0 ? undefined : { drop, add };
}

/** Of what belongs to no HTTPRoute, and has no grants: its own namespace. */
export const ownMirrorsOnly =
  (own: string) =>
  ({ namespace = own }: BackendReference): boolean =>
    namespace === own;

function shareOf({ percent, fraction }: MirrorFilter): number {
  if (percent !== undefined) return percent * 10_000;
  if (fraction === undefined) return 1_000_000;
  return Math.round((fraction.numerator / (fraction.denominator ?? 100)) * 1_000_000);
}

/** Flat headers with changes made; the same list when there are none. */
export function changeHeaders(headers: string[], changes: HeaderChanges | undefined): string[] {
  if (changes === undefined) return headers;
  const { drop, add } = changes;
  const kept =
    drop.size === 0 ? headers : headers.filter((_item, index) => !drop.has(headers[index - (index % 2)] ?? ""));
  return [...kept, ...add];
}

/**
 * Path and query after a modifier. `prefix` is what the rule has matched; a prefix that is replaced ends at a slash, and
 * the result always begins with one (Gateway API, HTTPPathModifier: its table of examples).
 */
export function changePath(target: string, modifier: PathModifier | undefined, prefix: string): string {
  if (modifier === undefined) return target;
  const question = target.indexOf("?");
  const path = question === -1 ? target : target.slice(0, question);
  const query = question === -1 ? "" : target.slice(question);
  if (modifier.type === "ReplaceFullPath") {
    const full = modifier.replaceFullPath || "/";
    // One that says a query itself means that one; two would be neither.
    return full.includes("?") ? full : `${full}${query}`;
  }
  const base = (modifier.replacePrefixMatch ?? "/").replace(/\/+$/, "");
  const rest = path.slice(prefix.replace(/\/+$/, "").length).replace(/^\/+/, "");
  const changed =
    rest === "" && base !== "" ? base + (path.endsWith("/") && prefix !== path ? "/" : "") : `${base}/${rest}`;
  return `${changed === "" ? "/" : changed}${query}`;
}

/** The request that a redirect is about. */
export interface RedirectedRequest {
  readonly scheme: "http" | "https";
  /** Without the port. */
  readonly host: string;
  /** Of the connection as the client named it; undefined: none. */
  readonly port: number | undefined;
  readonly target: string;
  readonly prefix: string;
}

/** `Location` of a redirect (Gateway API, HTTPRequestRedirectFilter: which port is left out). */
export function redirectLocation(filter: RedirectFilter, request: RedirectedRequest): string {
  const scheme = filter.scheme ?? request.scheme;
  const host = filter.hostname ?? request.host;
  const wellKnown = scheme === "https" ? 443 : 80;
  // Another scheme is another port: its own, unless one is named.
  const port = filter.port ?? (filter.scheme === undefined ? request.port : undefined) ?? wellKnown;
  const authority = port === wellKnown ? host : `${host}:${port}`;
  return `${scheme}://${authority}${changePath(request.target, filter.path, request.prefix)}`;
}
