import { createHmac, timingSafeEqual } from "node:crypto";
import type { Clock, Random } from "@shallop/sdk/internal";
import type { RegistryAction } from "./access.ts";

/** What a token lets its bearer do. Distribution, "Token Authentication": an entry of `access`. */
export type TokenAccess =
  | { readonly type: "repository"; readonly name: string; readonly actions: readonly RegistryAction[] }
  | { readonly type: "registry"; readonly name: "catalog"; readonly actions: readonly ["*"] };

interface Claims {
  readonly sub: string;
  /** Seconds since the epoch. */
  readonly exp: number;
  readonly access: readonly TokenAccess[];
}

export interface IssuedToken {
  readonly token: string;
  readonly lifetimeS: number;
  readonly issuedMs: number;
}

/** As Docker Hub's: a push of many layers asks again now and then, and a right that was taken away ends soon. */
const lifetimeS = 300;
/** One of ours has a few hundred bytes; the header field that carries it is bounded at 16 KiB. */
const tokenLengthMax = 16 * 1024;
const header = encode({ alg: "HS256", typ: "JWT" });

/** Tokens of this registry: JSON Web Tokens (RFC 7519) that it signs with its own key, and reads itself. */
export class RegistryTokens {
  readonly #key: string;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(key: string, clock: Clock, random: Random) {
    this.#key = key;
    this.#clock = clock;
    this.#random = random;
  }

  issue(subject: string, access: readonly TokenAccess[]): IssuedToken {
    const issuedMs = this.#clock.wallMs();
    const iat = Math.floor(issuedMs / 1000);
    const claims = { iss: "shallop", sub: subject, iat, exp: iat + lifetimeS, jti: this.#random.uuid(), access };
    const signed = `${header}.${encode(claims)}`;
    return { token: `${signed}.${this.#signature(signed).toString("base64url")}`, lifetimeS, issuedMs };
  }

  /** What a token says; undefined when it is none of ours, or over. */
  read(token: string): { readonly subject: string; readonly access: readonly TokenAccess[] } | undefined {
    if (token.length > tokenLengthMax) return undefined;
    const [head, body, signature, ...more] = token.split(".");
    // The algorithm is ours to choose, not the token's: another header is another token.
    if (head !== header || body === undefined || signature === undefined || more.length > 0) return undefined;
    const expected = this.#signature(`${head}.${body}`);
    const actual = Buffer.from(signature, "base64url");
    if (actual.length !== expected.length || !timingSafeEqual(actual, expected)) return undefined;
    const { sub, exp, access } = JSON.parse(Buffer.from(body, "base64url").toString()) as Claims;
    return exp * 1000 > this.#clock.wallMs() ? { subject: sub, access } : undefined;
  }

  #signature(text: string): Buffer {
    return createHmac("sha256", this.#key).update(text).digest();
  }
}

function encode(json: object): string {
  return Buffer.from(JSON.stringify(json)).toString("base64url");
}
