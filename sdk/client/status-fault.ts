import { ApiFault, type ApiFaultCode, type StatusCause, type StatusDetails } from "../api/fault.ts";
import { isJsonObject, type Json, listAt, numberAt, objectAt, textAt } from "../api/json.ts";

// apimachinery/pkg/api/errors: the reason that a bare HTTP status stands for, for answers that are no Status (a proxy's,
// the 404 of an unknown path). ServerTimeout is 500 with `retryAfterSeconds`; we call it Timeout.
const codeByStatus: Readonly<Record<number, ApiFaultCode>> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  405: "MethodNotAllowed",
  406: "NotAcceptable",
  409: "Conflict",
  410: "Gone",
  413: "RequestEntityTooLarge",
  415: "UnsupportedMediaType",
  422: "Invalid",
  429: "TooManyRequests",
  500: "InternalError",
  502: "ServiceUnavailable",
  503: "ServiceUnavailable",
  504: "Timeout",
};
const codes: ReadonlySet<string> = new Set<ApiFaultCode>([
  ...Object.values(codeByStatus),
  "AlreadyExists",
  "Expired",
] satisfies ApiFaultCode[]);

// An error page of somebody else's proxy is not shown as a whole.
const messageCharsMax = 1000;

const isCode = (reason: string | undefined): reason is ApiFaultCode => reason !== undefined && codes.has(reason);

/** The fault that a `metav1.Status` stands for: the answer to a request, or the object of an ERROR event of a watch. */
export function faultOfStatus(status: Json): ApiFault {
  const reason = textAt(status, "reason");
  const code = isCode(reason) ? reason : codeOf(reason, numberAt(status, "code") ?? 0);
  return new ApiFault(code, textAt(status, "message") ?? "the API server gave no reason", detailsOf(status));
}

/** The fault that an answer with an error status stands for. `doing` begins the message when the answer has none. */
export function faultOfAnswer(httpStatus: number, body: string, doing: string): ApiFault {
  try {
    const parsed = JSON.parse(body) as Json;
    if (isJsonObject(parsed) && parsed["kind"] === "Status") return faultOfStatus({ code: httpStatus, ...parsed });
  } catch {
    // No JSON: an answer of something between us and the API server, or the text of an unknown path.
  }
  const text = body.trim().slice(0, messageCharsMax);
  return new ApiFault(
    codeOf(undefined, httpStatus),
    `${doing}: the server answered ${httpStatus}: ${text || "(no text)"}`,
  );
}

function codeOf(reason: string | undefined, httpStatus: number): ApiFaultCode {
  if (reason === "ServerTimeout") return "Timeout";
  return codeByStatus[httpStatus] ?? "InternalError";
}

function detailsOf(status: Json): StatusDetails {
  const details = objectAt(status, "details");
  const causes = listAt(details, "causes").map(causeOf);
  const retryAfterSeconds = numberAt(details, "retryAfterSeconds");
  const named = (name: "name" | "group" | "kind" | "uid"): StatusDetails => {
    const value = textAt(details, name);
    return value === undefined ? {} : { [name]: value };
  };
  return {
    ...named("name"),
    ...named("group"),
    ...named("kind"),
    ...named("uid"),
    ...(causes.length === 0 ? {} : { causes }),
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  };
}

function causeOf(cause: Json): StatusCause {
  const reason = textAt(cause, "reason");
  const field = textAt(cause, "field");
  return {
    message: textAt(cause, "message") ?? "",
    ...(reason === undefined ? {} : { reason }),
    ...(field === undefined ? {} : { field }),
  };
}
