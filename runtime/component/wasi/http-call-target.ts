import type { HttpErrorCode } from "./http-error-code.ts";
import { type HttpMethod, type HttpScheme, methodToken } from "./http-method.ts";

/** Time limits of one outgoing request, milliseconds. */
export interface CallTimeouts {
  readonly connectMs: number;
  readonly firstByteMs: number;
  readonly betweenBytesMs: number;
}

/** Where an outgoing request goes; checked. */
export interface CallTarget {
  readonly secure: boolean;
  readonly hostname: string;
  readonly port: number | undefined;
  readonly method: string;
  readonly path: string;
  readonly authority: string;
}

// A guest that says nothing waits this long at most; its own request deadline usually ends it before.
const defaultTimeoutMs = 600_000;
const timeoutMsMax = 3_600_000;

/** What a guest has set of `request-options`; nanoseconds. */
export interface GuestTimeouts {
  readonly connectNs: bigint | undefined;
  readonly firstByteNs: bigint | undefined;
  readonly betweenBytesNs: bigint | undefined;
}

export const callTimeouts = (guest: GuestTimeouts | undefined): CallTimeouts => ({
  connectMs: milliseconds(guest?.connectNs),
  firstByteMs: milliseconds(guest?.firstByteNs),
  betweenBytesMs: milliseconds(guest?.betweenBytesNs),
});

const milliseconds = (durationNs: bigint | undefined): number =>
  durationNs === undefined ? defaultTimeoutMs : Math.min(timeoutMsMax, Math.ceil(Number(durationNs) / 1e6));

/** A request's line and authority, as a guest has put them together. */
export interface RequestLine {
  readonly method: HttpMethod;
  readonly scheme: HttpScheme | undefined;
  readonly authority: string | undefined;
  readonly pathWithQuery: string | undefined;
}

/** Nothing that could end the request line. */
export const isPathWithQuery = (target: string): boolean => /^[\x21-\x7e\x80-\uffff]*$/.test(target);

/** host[:port]; user information is not part of an HTTP authority (RFC 9110, 4.2.4). */
export const isAuthority = (authority: string): boolean =>
  /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]+)(:\d{0,5})?$/.test(authority);

export function callTarget(line: RequestLine): CallTarget | HttpErrorCode {
  const scheme = line.scheme?.tag ?? "HTTPS";
  const method = methodToken(line.method);
  if (method === undefined || method === "CONNECT") return { tag: "HTTP-request-method-invalid" };
  const authority = line.authority ?? "";
  const parts = /^(\[[^\]]+\]|[^:]+)(?::(\d*))?$/.exec(authority);
  if (parts === null || scheme === "other") return { tag: "HTTP-request-URI-invalid" };
  const port = parts[2] === undefined || parts[2] === "" ? undefined : Number(parts[2]);
  if (port !== undefined && (port === 0 || port > 65_535)) return { tag: "HTTP-request-URI-invalid" };
  const path = line.pathWithQuery ?? "/";
  return {
    secure: scheme === "HTTPS",
    hostname: parts[1] ?? "",
    port,
    method,
    path: path.startsWith("/") ? path : `/${path}`,
    authority,
  };
}
