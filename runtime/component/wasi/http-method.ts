/** `wasi:http/types.method` as the bindings write it. */
export type HttpMethod =
  | { readonly tag: Exclude<KnownMethod, "other"> }
  | { readonly tag: "other"; readonly val: string };

const knownMethods = ["get", "head", "post", "put", "delete", "connect", "options", "trace", "patch"] as const;
type KnownMethod = (typeof knownMethods)[number];

const methods = new Map<string, HttpMethod>(knownMethods.map((tag) => [tag.toUpperCase(), { tag }]));

export const methodOf = (method: string): HttpMethod => methods.get(method) ?? { tag: "other", val: method };

/** The method's token; undefined when a guest made one up that is none (RFC 9110, 9.1). */
export function methodToken(method: HttpMethod): string | undefined {
  if (method.tag !== "other") return method.tag.toUpperCase();
  return /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(method.val) ? method.val : undefined;
}

/** `wasi:http/types.scheme` as the bindings write it. */
export type HttpScheme =
  | { readonly tag: "HTTP" }
  | { readonly tag: "HTTPS" }
  | { readonly tag: "other"; readonly val: string };

export const schemeOf = (scheme: string): HttpScheme =>
  scheme === "http" ? { tag: "HTTP" } : scheme === "https" ? { tag: "HTTPS" } : { tag: "other", val: scheme };
