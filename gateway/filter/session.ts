import { stickyToken } from "../route/backends.ts";
import type { SessionRule } from "../route/policy.ts";
import { headerValue } from "../route/predicates.ts";

/** What a client says that has come before: of its revision, and of its pod. */
interface SessionToken {
  readonly target: string;
  readonly pod: string | undefined;
}

/** The token of a client that has come before (Gateway API, GEP-1619); undefined: it has not. */
export function sessionToken(rule: SessionRule, headers: readonly string[]): SessionToken | undefined {
  const [target, pod] = (tokenText(rule, headers) ?? "").slice(0, tokenCharsMax).split(".", 2);
  return target === undefined || target === "" ? undefined : { target, pod };
}

// Two tokens are 21 characters and a dot.
const tokenCharsMax = 64;

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
  { target, pod }: { readonly target: string; readonly pod: string | undefined },
  scheme: "http" | "https",
): readonly string[] {
  const token = pod === undefined ? stickyToken(target) : `${stickyToken(target)}.${pod}`;
  if (rule.kind === "Header") return [rule.name.toLowerCase(), token];
  const age = rule.maxAgeSeconds === undefined ? "" : `; Max-Age=${rule.maxAgeSeconds}`;
  const secure = scheme === "https" ? "; Secure" : "";
  return ["set-cookie", `${rule.name}=${token}; Path=/; HttpOnly; SameSite=Lax${age}${secure}`];
}
