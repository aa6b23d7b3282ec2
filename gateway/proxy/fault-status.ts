import { Fault, type LimitCode } from "@shallop/sdk/internal";
import type { ActivateFaultCode, WireFaultCode } from "@shallop/sdk/wire";

export type GatewayFaultCode =
  | "BAD_REQUEST"
  /** The connection is another host's: its certificate does not name the one that is asked for. */
  | "MISDIRECTED"
  | "HOST_UNKNOWN"
  /** The host is somebody's, and no rule of it takes the request. */
  | "ROUTE_UNKNOWN"
  /** The address of the client is not among those that may come. */
  | "CLIENT_REFUSED"
  | "UNAUTHENTICATED"
  | "RATE_LIMITED"
  /** What the rule sends its requests to is not there, or may not be used. */
  | "BACKEND_MISSING"
  /** The rule wants done what this gateway does not do, or has not what it needs for it. */
  | "RULE_UNUSABLE"
  /** The gateway has just started and has not been told of all routes yet. */
  | "ROUTES_UNKNOWN"
  | "REQUEST_TIMEOUT"
  /** The client takes nothing of the answer. */
  | "ANSWER_UNREAD"
  | "BODY_TOO_LARGE"
  | "EXPECTATION_FAILED"
  | "HEADERS_TOO_LARGE"
  | "NOT_SUPPORTED"
  /** The pods of the service can be reached, and not by WebSocket. */
  | "NO_WEBSOCKET"
  /** The client speaks another version of WebSocket. */
  | "WEBSOCKET_VERSION"
  /** The page that wants to speak WebSocket is of an origin that the revision does not name. */
  | "ORIGIN_REFUSED"
  | "WEBSOCKETS_FULL"
  | "QUEUE_FULL"
  | "START_TIMEOUT"
  /** Pods are up, and none had a slot free in time. */
  | "QUEUE_TIMEOUT"
  | "REVISION_GONE"
  | "STOPPING"
  | "OVERLOADED"
  /** No connection to the pod could be made: nothing was sent. */
  | "CONNECT_FAILED"
  /** What the pod answered is no HTTP response that can be passed on. */
  | "ANSWER_INVALID"
  | "ANSWER_TIMEOUT"
  | ActivateFaultCode
  | WireFaultCode;

/** Why a request was not answered by a guest. The message is for the client, and says nothing of the inside. */
export class GatewayFault extends Fault<GatewayFaultCode> {
  /** More headers of the answer, flat. */
  readonly headers: readonly string[];

  constructor(
    code: GatewayFaultCode,
    message: string,
    options: ErrorOptions & { readonly headers?: readonly string[] } = {},
  ) {
    super(code, message, options);
    this.headers = options.headers ?? [];
  }
}

interface FaultRule {
  readonly status: number;
  /** What the client is told, unless the fault carries a sentence of its own. */
  readonly text: string;
  /** `Retry-After`, seconds. */
  readonly retryAfterSeconds?: number;
}

/** The one place where a fault becomes a status (RFC 9110, 15; 431: RFC 6585, 5; 507: RFC 4918, 11.5). */
export const faultRules: Readonly<Record<GatewayFaultCode, FaultRule>> = {
  BAD_REQUEST: { status: 400, text: "The request is not valid HTTP/1.1." },
  MISDIRECTED: { status: 421, text: "This connection is not one of this host; ask on one of its own." },
  HOST_UNKNOWN: { status: 404, text: "No service has this host name." },
  ROUTE_UNKNOWN: { status: 404, text: "Nothing at this host takes this request." },
  CLIENT_REFUSED: { status: 403, text: "Your address may not make this request." },
  UNAUTHENTICATED: { status: 401, text: "This request needs credentials, and had none that are valid." },
  RATE_LIMITED: { status: 429, text: "Too many requests." },
  BACKEND_MISSING: { status: 500, text: "What this request is routed to does not exist." },
  RULE_UNUSABLE: { status: 500, text: "The rule for this request cannot be carried out." },
  REQUEST_TIMEOUT: { status: 408, text: "The request did not arrive in time." },
  ANSWER_UNREAD: { status: 408, text: "The answer was not read in time." },
  BODY_TOO_LARGE: { status: 413, text: "The body of the request is larger than this gateway takes." },
  EXPECTATION_FAILED: { status: 417, text: "The only expectation that can be met is 100-continue." },
  HEADERS_TOO_LARGE: { status: 431, text: "The headers of the request are larger or more than this gateway takes." },
  NOT_SUPPORTED: { status: 501, text: "This gateway does not do that." },
  NO_WEBSOCKET: { status: 501, text: "This service speaks no WebSocket here." },
  WEBSOCKET_VERSION: { status: 426, text: "The version of WebSocket that this gateway speaks is 13." },
  ORIGIN_REFUSED: { status: 403, text: "Pages of this origin may not open a WebSocket here." },
  WEBSOCKETS_FULL: { status: 503, text: "Too many WebSockets are open.", retryAfterSeconds: 10 },
  GUEST_FAILED: { status: 502, text: "The function failed." },
  CONNECTION_LOST: { status: 502, text: "The pod went away before it had answered." },
  PROTOCOL: { status: 502, text: "The pod gave an answer that is none." },
  ANSWER_INVALID: { status: 502, text: "The pod gave an answer that is no valid HTTP response." },
  CANCELLED: { status: 502, text: "The request was cancelled." },
  ROUTES_UNKNOWN: { status: 503, text: "This gateway does not know all services yet.", retryAfterSeconds: 1 },
  QUEUE_FULL: { status: 503, text: "Too many requests wait for this service.", retryAfterSeconds: 2 },
  QUEUE_TIMEOUT: {
    status: 503,
    text: "All pods of this service were busy for as long as the request may wait.",
    retryAfterSeconds: 2,
  },
  START_TIMEOUT: { status: 503, text: "No pod of this service could be started in time.", retryAfterSeconds: 5 },
  REVISION_GONE: { status: 503, text: "This revision of the service has been deleted.", retryAfterSeconds: 1 },
  STOPPING: { status: 503, text: "This gateway is stopping.", retryAfterSeconds: 1 },
  OVERLOADED: { status: 503, text: "This gateway has no memory left for another request.", retryAfterSeconds: 5 },
  CONNECT_FAILED: { status: 503, text: "No pod of this service could be reached.", retryAfterSeconds: 2 },
  REFUSED: { status: 503, text: "The pods of this service take no requests at the moment.", retryAfterSeconds: 1 },
  NOT_PREPARED: { status: 503, text: "No node is ready to run this service yet.", retryAfterSeconds: 5 },
  NO_CAPACITY: { status: 503, text: "No node has room for this service.", retryAfterSeconds: 5 },
  NO_USABLE_VARIANT: { status: 503, text: "No node can run the image of this service.", retryAfterSeconds: 60 },
  START_FAILED: { status: 503, text: "The pods of this service do not start.", retryAfterSeconds: 5 },
  GUEST_CONNECTIONS: { status: 503, text: "The function had too many connections open.", retryAfterSeconds: 2 },
  GUEST_CPU: { status: 504, text: "The function used up its CPU time." },
  GUEST_TIMEOUT: { status: 504, text: "The function did not answer within its time." },
  ANSWER_TIMEOUT: { status: 504, text: "The function did not answer within its time." },
  GUEST_MEMORY: { status: 507, text: "The function used up its memory." },
  GUEST_TABLE: { status: 507, text: "The function used up its tables." },
  GUEST_HANDLES: { status: 507, text: "The function held too many handles." },
  GUEST_HEADERS: { status: 507, text: "The function made too many header fields." },
  GUEST_LIMIT: { status: 507, text: "The function went over one of its limits." },
};

export const faultStatus = (code: GatewayFaultCode): number => faultRules[code].status;

/** Codes whose faults say themselves, in a sentence for the client, which limit it was. */
const sayingCodes: ReadonlySet<string> = new Set<GatewayFaultCode>([
  "GUEST_MEMORY",
  "GUEST_TABLE",
  "GUEST_CPU",
  "GUEST_TIMEOUT",
  "GUEST_HANDLES",
  "GUEST_CONNECTIONS",
  "GUEST_HEADERS",
  "REFUSED",
] satisfies LimitCode[]);

/** The sentence for the client: the pod's own where it names a limit, else the table's. A pod may be taken over. */
export const clientText = ({ code, message }: GatewayFault): string =>
  sayingCodes.has(code) && /^(?:The|No) [ -~]{1,200}\.$/.test(message) ? message : faultRules[code].text;

export interface FaultResponse {
  readonly status: number;
  /** Flat: name, value, name, value. */
  readonly headers: readonly string[];
  readonly body: string;
}

/** What is said instead of, or beside, what the table says. */
interface FaultWords {
  readonly text?: string | undefined;
  /** Headers, flat. */
  readonly more?: readonly string[];
  readonly retryAfterSeconds?: number | undefined;
}

/** The whole answer to a request that failed. */
export function faultResponse(
  code: GatewayFaultCode,
  requestId: string,
  { text, more = [], ...given }: FaultWords = {},
): FaultResponse {
  const rule = faultRules[code];
  const retryAfterSeconds = given.retryAfterSeconds ?? rule.retryAfterSeconds;
  const body = `${code}: ${text ?? rule.text}\nrequest id: ${requestId}\n`;
  const headers = [
    "content-type",
    "text/plain; charset=utf-8",
    "content-length",
    String(Buffer.byteLength(body)),
    "cache-control",
    "no-store",
    "x-request-id",
    requestId,
  ];
  headers.push(...more);
  if (retryAfterSeconds !== undefined) headers.push("retry-after", String(retryAfterSeconds));
  return { status: rule.status, headers, body };
}
