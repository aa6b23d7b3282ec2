import { type FieldRules, type ParsedRequest, parseRequest, type RequestHeadProblem } from "@shallop/sdk/http1";
import { hopByHopNames } from "../../component/wasi/header-rules.ts";

/** What is wrong with a request that cannot be served; see `fault-answer.ts` for what its client is told. */
export type RequestProblem = RequestHeadProblem | "TARGET_TOO_LONG" | "EXPECTATION_UNKNOWN" | "TOO_SLOW";

/** A request's head, understood in the only way that there is (RFC 9112, 2 to 6). */
export interface ReceivedHead {
  readonly method: string;
  readonly target: string;
  readonly authority: string;
  /** Flat, names in lower case; without those that belong to the connection. */
  readonly headers: readonly string[];
  /** Of the body; `chunked` when it says itself where it ends. */
  readonly bodyBytes: number | "chunked";
  /** The client wants to send another request on the connection. */
  readonly isPersistent: boolean;
  /** It does not know chunks (HTTP/1.0). */
  readonly isOld: boolean;
  /** The client waits for leave to send its body. */
  readonly expectsContinue: boolean;
}

export const fieldRules: FieldRules = {
  keeps: (name) => !hopByHopNames.has(name),
  // A browser sends some thirty.
  countMax: 256,
};

// uri-host and port (RFC 3986, 3.2.2), as loosely as is harmless: no user, no path, no space.
const authorityPattern = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~!$&'()*+,;=%]*)(?::\d{0,5})?$/;
const absolutePattern = /^https?:\/\/([^/?]+)(.*)$/i;

/** `text`: a head in latin1, with the empty line that ends it; at most `headBytesMax` characters. */
export function parseRequestHead(text: string): ReceivedHead | RequestProblem {
  const parsed = parseRequest(text, fieldRules);
  return typeof parsed === "string" ? parsed : headOf(parsed);
}

function headOf(parsed: ParsedRequest): ReceivedHead | RequestProblem {
  const { method, target, host, expect, headers, bodyBytes, isPersistent, isOld } = parsed;
  const place = placeOf(method, target, host);
  // A request of HTTP/1.1 names its host, also when its target does (RFC 9112, 3.2).
  if (place === undefined || (host === undefined && !isOld)) return "MALFORMED";
  const expectsContinue = expect !== undefined && !isOld;
  if (expectsContinue && expect.toLowerCase() !== "100-continue") return "EXPECTATION_UNKNOWN";
  return {
    method,
    target: place.target,
    authority: place.authority,
    headers,
    bodyBytes,
    isPersistent,
    isOld,
    expectsContinue: expectsContinue && bodyBytes !== 0,
  };
}

function placeOf(
  method: string,
  target: string,
  host = "",
): { readonly target: string; readonly authority: string } | undefined {
  if (!authorityPattern.test(host)) return undefined;
  if (target.startsWith("/") || (target === "*" && method === "OPTIONS")) return { target, authority: host };
  // A client that takes this server for a proxy writes the whole address, which counts more than Host (RFC 9112, 3.2.2).
  const absolute = absolutePattern.exec(target);
  if (absolute === null) return undefined;
  const [, authority = "", rest = ""] = absolute;
  if (!authorityPattern.test(authority)) return undefined;
  return { target: rest.startsWith("/") ? rest : `/${rest}`, authority };
}
