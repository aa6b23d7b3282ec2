import type { Backends } from "./backends.ts";
import type { CompiledFilters } from "./filters.ts";
import type { CompiledPolicy } from "./policy.ts";
import type { TrafficSplit } from "./split.ts";

/** What of a request routes are chosen by. */
export interface RoutedRequest {
  readonly scheme: "http" | "https";
  /** As `normalizeHost` gives it. */
  readonly host: string;
  readonly method: string;
  /** Path and query, as they came. */
  readonly target: string;
  /** Flat, names in lower case. */
  readonly headers: readonly string[];
}

/** What is done with the requests that a rule matches. */
export interface Rule {
  /** Where it is written: `HTTPRoute default/web, rule 0`. For people. */
  readonly name: string;
  readonly namespace: string;
  readonly backends: Backends;
  readonly filters: CompiledFilters | undefined;
  readonly policy: CompiledPolicy | undefined;
}

export interface Match {
  readonly rule: Rule;
  /** The prefix that the path was found by; all of the path where it was not found by one. */
  readonly prefix: string;
  /** The host's own share of the rule's Route: that of a tag. */
  readonly split?: TrafficSplit;
}

export const allSchemes: readonly ("http" | "https")[] = ["http", "https"];
