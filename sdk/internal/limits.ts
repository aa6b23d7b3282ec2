/** Prefix of the annotations on a revision template that set a guest's limits: `limits.shallop.dev/cpu-time`. */
export const limitsPrefix = "limits.shallop.dev/";

/** What the annotations of a revision set, beside what its spec says. Of Wasm pods; native ones have their cgroup. */
export interface GuestLimits {
  /** CPU time of one request, milliseconds. */
  readonly cpuTimeMs: number;
  /** Requests that have an instance at the same time; further ones wait for one. */
  readonly instancesMax: number;
  /** Of all tables of one core module together. */
  readonly tableEntriesMax: number;
  /** Handles of one instance. */
  readonly handlesMax: number;
  /** Outgoing requests and sockets of one instance. */
  readonly connectionsMax: number;
  /** Fields of one header block, and bytes of all of them as HTTP/2 counts them. */
  readonly headersMax: number;
  readonly headerBytesMax: number;
  /** Bytes of one stream that wait for their reader. */
  readonly bufferBytesMax: number;
  /** Bytes of output a second; four times as many at once. */
  readonly logBytesPerS: number;
}

/** What a request ends with that met a limit. */
export type LimitCode =
  | "GUEST_MEMORY"
  | "GUEST_TABLE"
  | "GUEST_CPU"
  | "GUEST_TIMEOUT"
  | "GUEST_HANDLES"
  | "GUEST_CONNECTIONS"
  | "GUEST_HEADERS"
  | "REFUSED";

export type LimitUnit = "count" | "bytes" | "duration" | "bytes a second";

export interface LimitRow {
  /** The annotation without its prefix, or the field of the revision's spec. */
  readonly setBy: string;
  readonly unit: LimitUnit;
  readonly initial: number;
  readonly min: number;
  readonly max: number;
  /** Why this is what a revision has that says nothing. */
  readonly why: string;
  /** Code and status of a request that meets it; absent where a request only waits, or only its output is cut. */
  readonly breach?: { readonly code: LimitCode; readonly status: 503 | 504 | 507 };
  /** What the caller and the pod's event are told, `value` written as people do. */
  readonly says: (value: string) => string;
}

export type LimitName = keyof GuestLimits | "memoryBytes" | "requestTimeoutMs" | "concurrencyMax";

const Ki = 2 ** 10;
const Mi = 2 ** 20;

/** Every limit of a revision's Wasm pods. The one list of them: validation, enforcement, statuses and documents follow it. */
export const limitRows: Readonly<Record<LimitName, LimitRow>> = {
  memoryBytes: {
    setBy: "resources.limits.memory",
    unit: "bytes",
    initial: 256 * Mi,
    min: 64 * Ki,
    // What 32 bits address.
    max: 4096 * Mi,
    why: "room for a JavaScript engine and a small program",
    breach: { code: "GUEST_MEMORY", status: 507 },
    says: (value) => `The function used up its memory of ${value}.`,
  },
  tableEntriesMax: {
    setBy: "table-entries",
    unit: "count",
    initial: 100_000,
    min: 1,
    // V8's own limit in a host process (guest-v8-flags.ts): tables fill a thread's heap, and a full one ends the process.
    max: 100_000,
    why: "five times what the largest programs have",
    breach: { code: "GUEST_TABLE", status: 507 },
    says: (value) => `The function used up its tables of ${value} entries.`,
  },
  cpuTimeMs: {
    setBy: "cpu-time",
    unit: "duration",
    initial: 30_000,
    // What is measured from outside is measured each few milliseconds.
    min: 100,
    max: 600_000,
    why: "a hundred times what a slow page takes",
    breach: { code: "GUEST_CPU", status: 504 },
    says: (value) => `The function used more than ${value} of CPU time.`,
  },
  requestTimeoutMs: {
    setBy: "timeoutSeconds",
    unit: "duration",
    initial: 300_000,
    min: 0,
    max: 600_000,
    why: "Knative's own default",
    breach: { code: "GUEST_TIMEOUT", status: 504 },
    says: (value) => `The function did not answer within ${value}.`,
  },
  concurrencyMax: {
    setBy: "containerConcurrency",
    unit: "count",
    initial: 0,
    min: 0,
    max: 1000,
    why: "0: as many as the pod can",
    breach: { code: "REFUSED", status: 503 },
    says: (value) => `The pod serves ${value} requests at once and has as many.`,
  },
  instancesMax: {
    setBy: "instances",
    unit: "count",
    initial: 500,
    min: 1,
    // All of the address space that a host process has for memories.
    max: 4000,
    why: "an eighth of what a host process can hold, so that a crowd at one pod leaves room for others",
    breach: { code: "REFUSED", status: 503 },
    says: (value) => `The pod runs ${value} requests at once, and none of them ended in time for this one.`,
  },
  handlesMax: {
    setBy: "handles",
    unit: "count",
    initial: 10_000,
    min: 16,
    // A hundred bytes of a thread's heap each.
    max: 100_000,
    why: "a guest that streams needs a dozen; a million would fill the heap of its thread",
    breach: { code: "GUEST_HANDLES", status: 507 },
    says: (value) => `The function held ${value} handles and asked for one more.`,
  },
  connectionsMax: {
    setBy: "connections",
    unit: "count",
    initial: 64,
    min: 1,
    // A process has 1,024 descriptors at least, often 20,000 and more; its pods share them.
    max: 512,
    why: "browsers use six a host; room for a fan-out and a pool of connections to a database",
    breach: { code: "GUEST_CONNECTIONS", status: 503 },
    says: (value) => `The function had ${value} connections open and asked for one more.`,
  },
  headersMax: {
    setBy: "headers",
    unit: "count",
    initial: 512,
    min: 16,
    max: 2000,
    why: "above what any server takes (100 to 256), below what makes copying slow",
    breach: { code: "GUEST_HEADERS", status: 507 },
    says: (value) => `The function made more than ${value} header fields.`,
  },
  headerBytesMax: {
    setBy: "header-bytes",
    unit: "bytes",
    initial: 64 * Ki,
    min: 1 * Ki,
    // A quarter of a head on the wire, where it is JSON.
    max: 64 * Ki,
    why: "four times what most servers take",
    breach: { code: "GUEST_HEADERS", status: 507 },
    says: (value) => `The function made more than ${value} of header fields.`,
  },
  bufferBytesMax: {
    setBy: "buffer-bytes",
    unit: "bytes",
    initial: 64 * Ki,
    // What WASI 0.2 lets a guest write at once, whatever the stream has said.
    min: 4 * Ki,
    max: 1 * Mi,
    why: "one frame of the wire to the gateway; the guest waits for its reader",
    says: (value) => `The function waits when ${value} of a stream are not read.`,
  },
  logBytesPerS: {
    setBy: "log-bytes-per-second",
    unit: "bytes a second",
    initial: 1 * Mi,
    min: 1 * Ki,
    // What a node stores of one pod's output.
    max: 1 * Mi,
    why: "what a node stores of one pod's output: more would only be carried to be dropped",
    says: (value) => `The function writes more than ${value} of output a second; lines are dropped.`,
  },
};

/** Those that annotations set. */
export const guestLimitNames = [
  "cpuTimeMs",
  "instancesMax",
  "tableEntriesMax",
  "handlesMax",
  "connectionsMax",
  "headersMax",
  "headerBytesMax",
  "bufferBytesMax",
  "logBytesPerS",
] as const satisfies readonly (keyof GuestLimits)[];

/** What a revision has that says nothing. */
export const guestLimitDefaults: GuestLimits = limitsFrom((name) => limitRows[name].initial);

/** As people write it: `256Mi`, `1m30s`, `10000`. */
export function formatLimit(unit: LimitUnit, value: number): string {
  if (unit === "count") return String(value);
  if (unit === "duration") return formatDuration(value);
  const power = [3, 2, 1].find((each) => value >= Ki ** each && value % Ki ** each === 0) ?? 0;
  return `${value / Ki ** power}${["", "Ki", "Mi", "Gi"][power]}`;
}

/** The sentence for whoever called, and for the pod's event. */
export function breachText(name: LimitName, value: number): string {
  const { says, unit } = limitRows[name];
  return says(unit === "bytes" && value % Ki !== 0 ? `${value} bytes` : formatLimit(unit, value));
}

function formatDuration(milliseconds: number): string {
  const minutes = Math.floor(milliseconds / 60_000);
  const rest = milliseconds % 60_000;
  if (minutes === 0) return rest % 1000 === 0 ? `${rest / 1000}s` : `${rest}ms`;
  return rest === 0 ? `${minutes}m` : `${minutes}m${formatDuration(rest)}`;
}

/** One value for each that annotations set. */
export function limitsFrom(valueOf: (name: keyof GuestLimits) => number): GuestLimits {
  return Object.fromEntries(guestLimitNames.map((name) => [name, valueOf(name)])) as unknown as GuestLimits;
}
