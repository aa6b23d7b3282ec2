import { parseDurationMs } from "../internal/duration.ts";
import type { StatusCause } from "./fault.ts";
import { invalid, notSupported } from "./validation/cause.ts";

// Annotations on a revision template that say how a gateway treats the revision's requests.

/** How requests wait for a pod: `hold.shallop.dev/depth` and its peers. */
export interface HoldRules {
  /** Requests that wait at once; absent: the gateway's own bound, which none exceeds. */
  readonly depthMax?: number;
  /** How long one waits; absent: the gateway's own bound, which none exceeds. */
  readonly waitMs?: number;
  /** Who is refused when the queue is full: the one that comes, or the one that has waited longest. */
  readonly sheds: "newest" | "oldest";
  /** `Retry-After` of those that are refused or have waited in vain; absent: the gateway's own. */
  readonly retryAfterSeconds?: number;
}

/** How a pod is picked: `balance.shallop.dev/hash-by` and its peer. */
export interface BalanceRules {
  /** Requests with the same value go to the same pod while it has room: `client`, `path`, or `header:NAME`. */
  readonly hashBy?: string;
  /** A pod that has just become ready gets its full share after this; absent: 10 s for native pods, at once for Wasm. */
  readonly slowStartMs?: number;
}

/** How WebSockets are let in: `websocket.shallop.dev/origins`. */
export interface WebSocketRules {
  /** Origins whose pages may open one (RFC 6455, 10.2); absent: all, and what sends no origin is no page. */
  readonly origins?: ReadonlySet<string>;
}

const secondMs = 1_000;
const hourMs = 3_600_000;
/** As many as the API server's own bound for one gateway's queue flag: more would be a mistake in a manifest. */
const depthMax = 100_000;

interface Rule {
  /** Undefined when the text is none. */
  readonly parse: (text: string) => number | string | undefined;
  readonly words: string;
}

const count = (min: number, max: number): Rule => ({
  parse: (text) => (/^\d{1,9}$/.test(text) && Number(text) >= min && Number(text) <= max ? Number(text) : undefined),
  words: `must be a whole number from ${min} to ${max}`,
});

const duration = (minMs: number, maxMs: number): Rule => ({
  parse: (text) => {
    const value = parseDurationMs(text);
    return value !== undefined && value >= minMs && value <= maxMs ? value : undefined;
  },
  words: `must be a duration from ${minMs / secondMs}s to ${maxMs / secondMs}s`,
});

const word = (pattern: RegExp, words: string): Rule => ({
  parse: (text) => (pattern.test(text) ? text : undefined),
  words,
});

const rules: Readonly<Record<string, Rule>> = {
  "hold.shallop.dev/depth": count(1, depthMax),
  "hold.shallop.dev/wait": duration(secondMs, hourMs),
  "hold.shallop.dev/shed": word(/^(newest|oldest)$/, "must be newest or oldest"),
  "hold.shallop.dev/retry-after": duration(secondMs, hourMs),
  // RFC 9110, 5.1: the name of a field is a token.
  "balance.shallop.dev/hash-by": word(
    /^(client|path|header:[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100})$/,
    "must be client, path, or header:NAME",
  ),
  "balance.shallop.dev/slow-start": duration(0, hourMs),
  // RFC 6454, 6.2: scheme, host, and a port that is not the scheme's own.
  "websocket.shallop.dev/origins": word(
    /^https?:\/\/[a-z0-9.:[\]-]{1,260}(, *https?:\/\/[a-z0-9.:[\]-]{1,260}){0,31}$/,
    "must be origins in lower case, such as https://app.example.com, with commas between them, 32 at most",
  ),
};

const prefixes = ["hold.shallop.dev/", "balance.shallop.dev/", "websocket.shallop.dev/"];

/** Checks those annotations of a revision (template). One that is unknown is a mistake. */
export function validateTraffic(given: Readonly<Record<string, string>>, path: string): StatusCause[] {
  return Object.entries(given).flatMap(([key, value]) => {
    if (!prefixes.some((prefix) => key.startsWith(prefix))) return [];
    const rule = Object.hasOwn(rules, key) ? rules[key] : undefined;
    if (rule === undefined) return [notSupported(`${path}.${key}`, key, Object.keys(rules))];
    return rule.parse(value) === undefined ? [invalid(`${path}.${key}`, value, rule.words)] : [];
  });
}

/** A value that admission would have refused counts as not given, here and in `balanceRulesOf`. */
export function holdRulesOf(annotations: Readonly<Record<string, string>> = {}): HoldRules {
  const depth = numberOf(annotations, "hold.shallop.dev/depth");
  const waitMs = numberOf(annotations, "hold.shallop.dev/wait");
  const retryAfterMs = numberOf(annotations, "hold.shallop.dev/retry-after");
  return {
    sheds: annotations["hold.shallop.dev/shed"] === "oldest" ? "oldest" : "newest",
    ...(depth === undefined ? {} : { depthMax: depth }),
    ...(waitMs === undefined ? {} : { waitMs }),
    ...(retryAfterMs === undefined ? {} : { retryAfterSeconds: Math.ceil(retryAfterMs / secondMs) }),
  };
}

export function balanceRulesOf(annotations: Readonly<Record<string, string>> = {}): BalanceRules {
  const hashBy = parsed(annotations, "balance.shallop.dev/hash-by");
  const slowStartMs = numberOf(annotations, "balance.shallop.dev/slow-start");
  return {
    ...(typeof hashBy === "string" ? { hashBy } : {}),
    ...(slowStartMs === undefined ? {} : { slowStartMs }),
  };
}

export function webSocketRulesOf(annotations: Readonly<Record<string, string>> = {}): WebSocketRules {
  const origins = parsed(annotations, "websocket.shallop.dev/origins");
  return typeof origins === "string" ? { origins: new Set(origins.split(/, */)) } : {};
}

function parsed(annotations: Readonly<Record<string, string>>, key: string): number | string | undefined {
  const text = annotations[key];
  return text === undefined ? undefined : rules[key]?.parse(text);
}

function numberOf(annotations: Readonly<Record<string, string>>, key: string): number | undefined {
  const value = parsed(annotations, key);
  return typeof value === "number" ? value : undefined;
}
