import type { RequestRecord } from "./request-record.ts";

export const accessLogForms = ["common", "combined", "json"] as const;
export type AccessLogForm = (typeof accessLogForms)[number];

/** Of a text that a client chose; its beginning tells enough. */
const textMax = 2_048;

/** One line of an access log, its end included. What clients chose cannot end a line or leave its quotes. */
export function accessLine(record: RequestRecord, form: AccessLogForm): string {
  if (form === "json") return `${jsonLine(record)}\n`;
  const { origin, status, bytesSent, target } = record;
  const version = origin.protocol === "2" ? "2.0" : origin.protocol;
  const request = quoted(`${origin.method} ${target === "" ? "-" : target} HTTP/${version}`);
  // Apache's mod_log_config, "%h %l %u %t "%r" %>s %b"; the status of a client that has gone is nginx' 499.
  const common = `${quoted(record.client)} - ${userField(record)} [${commonDate(origin.startWallMs)}] "${request}" ${status || 499} ${bytesSent || "-"}`;
  if (form === "common") return `${common}\n`;
  const header = (name: string): string => quoted(headerOf(record, name) ?? "-");
  return `${common} "${header("referer")}" "${header("user-agent")}"\n`;
}

function jsonLine(record: RequestRecord): string {
  const { origin, story, revision, trace, code } = record;
  const grantedMs = story?.grantedMs;
  const text = JSON.stringify({
    time: new Date(origin.startWallMs).toISOString(),
    request_id: origin.id,
    trace_id: trace?.traceId,
    client: record.client,
    user: record.user?.slice(0, textMax),
    method: origin.method,
    scheme: origin.scheme,
    host: record.authority.slice(0, textMax),
    target: record.target.slice(0, textMax),
    protocol: `HTTP/${origin.protocol}`,
    status: record.status || 499,
    code,
    bytes_received: record.bytesReceived,
    bytes_sent: record.bytesSent,
    duration_ms: rounded(record.durationMs),
    queue_ms: story === undefined || grantedMs === undefined ? undefined : rounded(grantedMs - story.arrivedMs),
    cold: story?.activation === undefined ? undefined : true,
    namespace: revision?.namespace,
    revision: revision?.name,
    pod: story?.pod?.name,
    node: story?.pod?.node,
    attempts_failed: story === undefined || story.attempts.length === 0 ? undefined : story.attempts.length,
    referer: headerOf(record, "referer")?.slice(0, textMax),
    user_agent: headerOf(record, "user-agent")?.slice(0, textMax),
  });
  // JSON lets these stand as they are; a terminal does not, and some readers end lines at them.
  return text.replaceAll(
    /[\u007f-\u009f\u2028\u2029]/g,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

const rounded = (ms: number): number => Math.round(ms * 1000) / 1000;

/** As nginx and Apache do: quotes, backslashes and all that is not printable ASCII as `\xHH`. */
const quoted = (text: string): string =>
  Buffer.from(text.slice(0, textMax))
    .toString("latin1")
    .replaceAll(/["\\]|[^ -~]/g, (one) => `\\x${one.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);

/** A blank would be the end of the field; Apache has "" for a name that is empty. */
function userField({ user }: RequestRecord): string {
  if (user === undefined) return "-";
  return user === "" ? '""' : quoted(user).replaceAll(" ", String.raw`\x20`);
}

function headerOf({ headers }: RequestRecord, name: string): string | undefined {
  for (let index = 0; index < headers.length; index += 2) if (headers[index] === name) return headers[index + 1];
  return undefined;
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** `10/Oct/2000:13:55:36 +0000`, in UTC. */
function commonDate(wallMs: number): string {
  const date = new Date(wallMs);
  const two = (value: number): string => String(value).padStart(2, "0");
  const day = `${two(date.getUTCDate())}/${months[date.getUTCMonth()] ?? ""}/${date.getUTCFullYear()}`;
  return `${day}:${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`;
}
