import { errorCode } from "@shallop/sdk/internal";
import { EgressFault } from "../egress/egress.ts";

/** Those of `wasi:http/types.error-code` that this host gives; names as the bindings write them. */
export type HttpErrorCode =
  | { readonly tag: "DNS-error"; readonly val: { readonly rcode: string | undefined; readonly infoCode: undefined } }
  | { readonly tag: "HTTP-response-body-size" | "HTTP-request-body-size"; readonly val: bigint | undefined }
  | { readonly tag: "internal-error"; readonly val: string | undefined }
  | {
      readonly tag:
        | "destination-IP-prohibited"
        | "destination-unavailable"
        | "connection-refused"
        | "connection-terminated"
        | "connection-timeout"
        | "connection-read-timeout"
        | "connection-limit-reached"
        | "TLS-certificate-error"
        | "TLS-protocol-error"
        | "HTTP-request-method-invalid"
        | "HTTP-request-URI-invalid"
        | "HTTP-protocol-error"
        | "HTTP-response-timeout"
        | "HTTP-upgrade-failed";
    };

type PlainTag = Exclude<
  HttpErrorCode["tag"],
  "DNS-error" | "HTTP-response-body-size" | "HTTP-request-body-size" | "internal-error"
>;

const tagByErrno: Readonly<Record<string, PlainTag>> = {
  ECONNREFUSED: "connection-refused",
  ECONNRESET: "connection-terminated",
  EPIPE: "connection-terminated",
  ETIMEDOUT: "connection-timeout",
  EHOSTUNREACH: "destination-unavailable",
  ENETUNREACH: "destination-unavailable",
  ERR_TLS_CERT_ALTNAME_INVALID: "TLS-certificate-error",
  DEPTH_ZERO_SELF_SIGNED_CERT: "TLS-certificate-error",
  SELF_SIGNED_CERT_IN_CHAIN: "TLS-certificate-error",
  CERT_HAS_EXPIRED: "TLS-certificate-error",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "TLS-certificate-error",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "TLS-certificate-error",
};

/** What a guest is told about an error of an outgoing request. */
export function httpErrorCodeOf(error: unknown): HttpErrorCode {
  if (error instanceof EgressFault) {
    if (error.code === "LIMIT") return { tag: "connection-limit-reached" };
    return error.code === "PROHIBITED"
      ? { tag: "destination-IP-prohibited" }
      : { tag: "DNS-error", val: { rcode: errorCode(error.cause), infoCode: undefined } };
  }
  const code = errorCode(error) ?? "";
  const tag = tagByErrno[code];
  if (tag !== undefined) return { tag };
  if (code.startsWith("HPE_")) return { tag: "HTTP-protocol-error" };
  if (code.startsWith("ERR_SSL_")) return { tag: "TLS-protocol-error" };
  // The host's own words for an error are not the guest's business; the code is.
  return { tag: "internal-error", val: code === "" ? undefined : code };
}

/** For people. */
export const describeErrorCode = (code: HttpErrorCode): string =>
  "val" in code && typeof code.val === "string" ? `${code.tag}: ${code.val}` : code.tag;
