import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import {
  anonymousUser,
  isRepositoryName,
  passwordMatches,
  type RegistryUser,
  type RegistryUsers,
  type RepositoryName,
} from "@shallop/sdk/image";
import { type Clock, Turnstile } from "@shallop/sdk/internal";
import { anyone, granted, nobody, type Principal, type RegistryAction, userPrincipal } from "./access.ts";
import { RegistryFault } from "./fault.ts";
import type { IssuedToken, RegistryTokens, TokenAccess } from "./tokens.ts";

/** `none`: who reaches the registry may do all. `basic`: name and password with each request. `token`: exchanged once. */
export type LoginKind = "none" | "basic" | "token";

/** Where a request came in: what it has to bring, and how the place is called. */
export interface LoginPlace {
  readonly kind: LoginKind;
  readonly secure: boolean;
}

export const tokenPath = "/token";
const service = "shallop";

/** Hashing a password takes a processor for 50 ms on purpose: two at once leave the others to the node. */
const hashesAtOnce = 2;
/** Logins that may wait for that: 1 s of it. More is somebody guessing. */
const waitingMax = 32;
/** A right password is believed this long without hashing it again: `basic` sends it with each request. */
const believedMs = 5 * 60_000;
const believedMax = 1_024;
/** Scopes of one token: a push that mounts from elsewhere asks for a few. */
const scopesMax = 32;
const actions: readonly RegistryAction[] = ["pull", "push", "delete"];

/** Finds out who calls. */
export class RegistryLogin {
  readonly #users: RegistryUsers;
  readonly #tokens: RegistryTokens;
  readonly #clock: Clock;
  /** Hash of the platform's own secret, with which its parts call; undefined where they need none. */
  readonly #secretHash: Buffer;
  readonly #hashing = new Turnstile(hashesAtOnce);
  #waiting = 0;
  /** By hash of name, password and what is kept of it. */
  readonly #believed = new Map<string, number>();

  constructor(parts: {
    readonly users: RegistryUsers;
    readonly tokens: RegistryTokens;
    readonly clock: Clock;
    readonly secret: string;
  }) {
    this.#users = parts.users;
    this.#tokens = parts.tokens;
    this.#clock = parts.clock;
    this.#secretHash = sha256(parts.secret);
  }

  /**
   * Who calls; `undefined` when no login was given.
   *
   * @throws RegistryFault UNAUTHORIZED when what was given is wrong or over | TOOMANYREQUESTS
   */
  async principal(request: IncomingMessage, place: LoginPlace): Promise<Principal | undefined> {
    if (place.kind === "none") return anyone;
    const { authorization } = request.headers;
    if (authorization === undefined) return undefined;
    const [, scheme = "", value = ""] = /^([A-Za-z]+) +(\S+)$/.exec(authorization.trim()) ?? [];
    switch (scheme.toLowerCase()) {
      case "basic": {
        const user = await this.#userOf(value);
        if (user === undefined) break;
        return userPrincipal(user.name, user, true);
      }
      case "bearer": {
        if (timingSafeEqual(sha256(value), this.#secretHash)) return anyone;
        const token = this.#tokens.read(value);
        if (token === undefined) break;
        return this.#bearer(token.subject, token.access);
      }
      default:
        break;
    }
    throw new RegistryFault("UNAUTHORIZED", "the login is wrong, or its token is over", {
      headers: challenge(request, place, { error: "invalid_token" }),
    });
  }

  /** What who gives no login may do: what the user `anonymous` was given. */
  async public(): Promise<Principal> {
    const user = (await this.#users.list()).get(anonymousUser);
    return user === undefined ? nobody : userPrincipal(user.name, user, false);
  }

  async #bearer(subject: string, access: readonly TokenAccess[]): Promise<Principal> {
    // The catalog is of all repositories, so it is the user's rights of now that count, not a list in the token.
    const user = access.some(({ type }) => type === "registry") ? (await this.#users.list()).get(subject) : undefined;
    return {
      name: subject,
      isFinal: false,
      may: (action, name) => covers(access, action, name),
      sees: (name) => user !== undefined && granted(user, "pull", name),
    };
  }

  /**
   * A token for what is asked, as far as the user may have it: less is no error (distribution, "Token Authentication").
   *
   * @throws RegistryFault UNAUTHORIZED | TOOMANYREQUESTS
   */
  async token(
    request: IncomingMessage,
    asked: { readonly scopes: readonly string[]; readonly basic: string | undefined },
  ): Promise<IssuedToken> {
    const user = asked.basic === undefined ? undefined : await this.#userOf(asked.basic);
    if (asked.basic !== undefined && user === undefined) {
      throw new RegistryFault("UNAUTHORIZED", "name or password is wrong", {
        headers: { "WWW-Authenticate": `Basic realm="${originOf(request, false)}"` },
      });
    }
    const grant = user ?? (await this.#users.list()).get(anonymousUser);
    const access = grant === undefined ? [] : accessOf(asked.scopes, grant);
    return this.#tokens.issue(user?.name ?? anonymousUser, access);
  }

  async #userOf(basic: string): Promise<RegistryUser | undefined> {
    const text = Buffer.from(basic, "base64").toString("utf8");
    const colon = text.indexOf(":");
    if (colon < 1) return undefined;
    const name = text.slice(0, colon);
    const password = text.slice(colon + 1);
    const found = (await this.#users.list()).get(name);
    // Who has no password cannot log in with one.
    const user = found?.password === undefined ? undefined : found;
    const key = sha256(JSON.stringify([name, password, user?.password])).toString("base64");
    if (user !== undefined && (this.#believed.get(key) ?? 0) > this.#clock.nowMs()) return user;
    if (!(await this.#matches(user, password))) return undefined;
    if (this.#believed.size >= believedMax) this.#believed.clear();
    this.#believed.set(key, this.#clock.nowMs() + believedMs);
    return user;
  }

  async #matches(user: RegistryUser | undefined, password: string): Promise<boolean> {
    if (this.#waiting >= waitingMax) {
      throw new RegistryFault("TOOMANYREQUESTS", "too many logins at once", { headers: { "Retry-After": "3" } });
    }
    this.#waiting++;
    try {
      return await this.#hashing.pass(() => passwordMatches(user, password));
    } finally {
      this.#waiting--;
    }
  }
}

const catalogScope = "registry:catalog:*";

/** Why somebody may not do what it asked for: 401 when another login could help, else 403. */
export function accessFault(
  request: IncomingMessage,
  place: LoginPlace,
  refused: {
    readonly principal: Principal | undefined;
    readonly action: RegistryAction | undefined;
    /** Undefined for the catalog, and for the registry as a whole. */
    readonly name: RepositoryName | undefined;
    readonly isCatalog?: boolean;
  },
): RegistryFault {
  const { principal, action, name, isCatalog = false } = refused;
  const what = name === undefined ? "use this registry" : `${action ?? "use"} ${name}`;
  if (principal?.isFinal === true) return new RegistryFault("DENIED", `${principal.name} may not ${what}`);
  // A token or login for this very thing may help.
  const wanted = action === "push" ? "pull,push" : (action ?? "");
  const scope =
    name === undefined ? (isCatalog ? catalogScope : undefined) : `repository:${name}:${wanted}${more(request)}`;
  const error = principal === undefined ? undefined : "insufficient_scope";
  return new RegistryFault("UNAUTHORIZED", `a login is needed to ${what}`, {
    headers: challenge(request, place, { scope, error }),
  });
}

/** A blob that is to be mounted from another repository has to be read there. */
function more(request: IncomingMessage): string {
  const from = URL.parse(`http://registry${request.url ?? "/"}`)?.searchParams.get("from") ?? "";
  return isRepositoryName(from) ? ` repository:${from}:pull` : "";
}

function challenge(
  request: IncomingMessage,
  place: LoginPlace,
  { scope, error }: { readonly scope?: string | undefined; readonly error?: string | undefined },
): Readonly<Record<string, string>> {
  const origin = originOf(request, place.secure);
  if (place.kind !== "token") return { "WWW-Authenticate": `Basic realm="${origin}"` };
  const parts = [`realm="${origin}${tokenPath}"`, `service="${service}"`];
  if (scope !== undefined) parts.push(`scope="${scope}"`);
  if (error !== undefined) parts.push(`error="${error}"`);
  return { "WWW-Authenticate": `Bearer ${parts.join(",")}` };
}

/** As the client calls us; it could only lead itself astray. */
function originOf(request: IncomingMessage, secure: boolean): string {
  const host = request.headers.host ?? "";
  const known = /^[A-Za-z0-9.:[\]-]{1,255}$/.test(host) ? host : "localhost";
  return `${secure ? "https" : "http"}://${known}`;
}

/** `repository:team/app:pull,push` → what of it the grant allows. */
function accessOf(scopes: readonly string[], grant: RegistryUser): readonly TokenAccess[] {
  const access: TokenAccess[] = [];
  for (const scope of scopes.flatMap((text) => text.split(" ")).slice(0, scopesMax)) {
    if (scope === catalogScope) access.push({ type: "registry", name: "catalog", actions: ["*"] });
    const [, name = "", list = ""] = /^repository:([^:]+):([a-z*,]+)$/.exec(scope) ?? [];
    if (!isRepositoryName(name)) continue;
    const wanted = list.split(",");
    const allowed = actions.filter(
      (action) => (wanted.includes(action) || wanted.includes("*")) && granted(grant, action, name),
    );
    if (allowed.length > 0) access.push({ type: "repository", name, actions: allowed });
  }
  return access;
}

const covers = (access: readonly TokenAccess[], action: RegistryAction, name: string): boolean =>
  access.some((entry) => entry.type === "repository" && entry.name === name && entry.actions.includes(action));

const sha256 = (text: string): Buffer => createHash("sha256").update(text).digest();
