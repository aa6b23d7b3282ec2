import { type FieldRules, type ParsedRequest, parseRequest, type RequestHeadProblem } from "@shallop/sdk/http1";
import { GatewayFault, type GatewayFaultCode } from "./fault-status.ts";
import { type ClientHeaders, isKnownMethod, passesOn, withoutNamed } from "./request-head.ts";
import { headerValue } from "../route/predicates.ts";

const [timingName, forName, protoName] = ["x-shallop-timing", "x-forwarded-for", "x-forwarded-proto"] as const;
/** What is for the gateway, and goes no further. */
const forGateway: ReadonlySet<string> = new Set([timingName, forName, protoName]);

const headRules: FieldRules = {
  keeps: (name) => passesOn(name) || forGateway.has(name),
  // Bounded by the bytes of a head; who asks for too many is told by another, who knows the request.
  countMax: 64 * 1024,
};

/** What trailers may be is looked at by who passes them on. */
export const trailerRules: FieldRules = { keeps: () => true, countMax: 256 };

/** `text`: a head in latin1, with the empty line that ends it. */
export function parseClientRequest(text: string): ParsedRequest | RequestHeadProblem {
  const parsed = parseRequest(text, headRules);
  return typeof parsed === "string" || isKnownMethod(parsed.method) ? parsed : "METHOD_UNKNOWN";
}

/** What the client is told of what is no request. */
export function requestProblemCode(problem: RequestHeadProblem): GatewayFaultCode {
  if (problem === "HEAD_TOO_LARGE") return "HEADERS_TOO_LARGE";
  return problem === "METHOD_UNKNOWN" || problem === "CODING_UNKNOWN" ? "NOT_SUPPORTED" : "BAD_REQUEST";
}

/** What the client waits for before it sends the body (RFC 9110, 10.1.1). */
export function expectation({ expect, isOld, bodyBytes }: ParsedRequest): "continue" | "unknown" | undefined {
  if (expect === undefined || isOld) return undefined;
  if (expect.toLowerCase() !== "100-continue") return "unknown";
  // Else there is nothing to continue with.
  return bodyBytes === 0 ? undefined : "continue";
}

/** Any other protocol is not offered, and such a request is one like all others (RFC 9110, 7.8). */
export const asksForWebSocket = ({ upgrade, connection }: ParsedRequest): boolean =>
  upgrade?.toLowerCase() === "websocket" && connection.split(",").some((option) => option.trim() === "upgrade");

/** The fields of a head, sorted out. @throws GatewayFault HEADERS_TOO_LARGE */
export function readClientFields(head: ParsedRequest, headerCountMax: number): ClientHeaders {
  if (head.fieldCount > headerCountMax)
    throw new GatewayFault("HEADERS_TOO_LARGE", `The request has more than ${headerCountMax} headers.`);
  const { bodyBytes, host } = head;
  const { headers, timing, claims } = withoutOwn(head.headers);
  return {
    headers: withoutNamed(headers, head.connection),
    host,
    contentLength: bodyBytes === "chunked" ? undefined : bodyBytes,
    chunked: bodyBytes === "chunked",
    isUpgrade: false,
    timing,
    claims,
  };
}

const nothingClaimed = { address: undefined, scheme: undefined };

function withoutOwn(headers: string[]): Pick<ClientHeaders, "headers" | "timing" | "claims"> {
  // Few requests have any of them.
  if (!headers.some((item, at) => at % 2 === 0 && forGateway.has(item)))
    return { headers, timing: false, claims: nothingClaimed };
  return {
    headers: headers.filter((_, at) => !forGateway.has(headers[at - (at % 2)] ?? "")),
    timing: headerValue(headers, timingName) === "1",
    claims: { address: headerValue(headers, forName), scheme: headerValue(headers, protoName) },
  };
}
