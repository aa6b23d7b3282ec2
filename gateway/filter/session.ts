import { stickyToken } from "../route/backends.ts";
import type { SessionRule } from "../route/policy.ts";
import { headerValue } from "../route/predicates.ts";

/** What a client says that has come before: of its revision, and of its pod. */
export interface SessionToken {
  readonly target: string;
  readonly pod: string | undefined;
  /** When it came first; seconds of the wall clock. */
  readonly begunSeconds: number;
}

/** The token of a client that has come before (Gateway API, GEP-1619); undefined: it has not, or its time is over. */
export function sessionToken(rule: SessionRule, headers: readonly string[], wallMs: number): SessionToken | undefined {
  const [target = "", pod, begun, seen] = (tokenText(rule, headers) ?? "").slice(0, tokenCharsMax).split(".", 4);
  if (target === "") return undefined;
  const nowSeconds = Math.floor(wallMs / 1000);
  if (rule.absoluteMs !== undefined && nowSeconds - timeOf(begun) >= rule.absoluteMs / 1000) return undefined;
  if (rule.idleMs !== undefined && nowSeconds - timeOf(seen) >= rule.idleMs / 1000) return undefined;
  // What a client makes up lasts no longer than what it was given.
  return { target, pod, begunSeconds: begun === undefined ? nowSeconds : Math.min(timeOf(begun), nowSeconds) };
}

// Two tokens are 21 characters and a dot, two times twelve and two dots.
const tokenCharsMax = 64;

/** One that is none was long ago. */
function timeOf(text: string | undefined): number {
  const seconds = Number.parseInt(text ?? "", 36);
  return Number.isSafeInteger(seconds) ? seconds : 0;
}

function tokenText({ kind, name }: SessionRule, headers: readonly string[]): string | undefined {
  if (kind === "Header") return headerValue(headers, name.toLowerCase());
  for (const crumb of (headerValue(headers, "cookie") ?? "").split(";").slice(0, crumbsMax)) {
    const equals = crumb.indexOf("=");
    if (equals !== -1 && crumb.slice(0, equals).trim() === name) return crumb.slice(equals + 1).trim();
  }
  return undefined;
}

// Browsers keep 180 of a site.
const crumbsMax = 200;

/** Headers of the answer that make the client come back to `target`, and to a pod of it (as `stickyToken` has its name); flat. */
export function sessionHeaders(
  rule: SessionRule,
  { target, pod, begunSeconds }: SessionToken,
  { scheme, wallMs }: { readonly scheme: "http" | "https"; readonly wallMs: number },
): readonly string[] {
  const nowSeconds = Math.floor(wallMs / 1000);
  const hasEnd = rule.absoluteMs !== undefined || rule.idleMs !== undefined;
  const times = hasEnd ? [begunSeconds, nowSeconds].map((seconds) => seconds.toString(36)) : [];
  const named = pod === undefined && !hasEnd ? [] : [pod ?? ""];
  const token = [stickyToken(target), ...named, ...times].join(".");
  if (rule.kind === "Header") return [rule.name.toLowerCase(), token];
  const endSeconds = Math.min(
    begunSeconds + (rule.absoluteMs ?? Number.POSITIVE_INFINITY) / 1000,
    nowSeconds + (rule.idleMs ?? Number.POSITIVE_INFINITY) / 1000,
  );
  const age = rule.isPermanent && hasEnd ? `; Max-Age=${Math.max(0, Math.round(endSeconds - nowSeconds))}` : "";
  const secure = scheme === "https" ? "; Secure" : "";
  return ["set-cookie", `${rule.name}=${token}; Path=/; HttpOnly; SameSite=Lax${age}${secure}`];
}
