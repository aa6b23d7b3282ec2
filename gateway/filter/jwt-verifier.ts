import type { JwtPolicy } from "@shallop/sdk/api";
import { createLocalJWKSet, type JWTPayload, jwtVerify } from "jose";
import { GatewayFault } from "../proxy/fault-status.ts";

// Tokens of clients that come again are verified once; a token is a kilobyte at most times.
const verifiedMax = 2_000;
// Clocks of issuers differ by this much at most.
const clockToleranceSeconds = 30;
const tokenCharsMax = 16 * 1024;

/** Nothing that is signed with a shared secret: a key set is public. */
const algorithms = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
];

/** Verifies JSON Web Tokens (RFC 7519, RFC 8725) against one key set. */
export class JwtVerifier {
  readonly #policy: JwtPolicy;
  readonly #keys: ReturnType<typeof createLocalJWKSet>;
  readonly #verified = new Map<string, { readonly payload: JWTPayload; readonly untilMs: number }>();

  /** @throws what jose says of a key set that is none */
  constructor(policy: JwtPolicy, jwks: string) {
    this.#policy = policy;
    this.#keys = createLocalJWKSet(JSON.parse(jwks) as Parameters<typeof createLocalJWKSet>[0]);
  }

  /** The claims of a token that has been verified before, while it is valid. */
  remembered(token: string, wallMs: number): JWTPayload | undefined {
    const known = this.#verified.get(token);
    return known !== undefined && wallMs < known.untilMs ? known.payload : undefined;
  }

  /** @throws GatewayFault UNAUTHENTICATED */
  async verify(token: string): Promise<JWTPayload> {
    const { issuer, audiences = [] } = this.#policy;
    if (token.length > tokenCharsMax) throw refused("the token is too long");
    try {
      const { payload } = await jwtVerify(token, this.#keys, {
        issuer,
        algorithms,
        ...(audiences.length === 0 ? {} : { audience: [...audiences] }),
        clockTolerance: clockToleranceSeconds,
      });
      this.#remember(token, payload);
      return payload;
    } catch (error) {
      throw refused("The token is not valid.", error);
    }
  }

  #remember(token: string, payload: JWTPayload): void {
    // One without an end is verified each time.
    if (payload.exp === undefined) return;
    this.#verified.set(token, { payload, untilMs: payload.exp * 1000 });
    const [oldest] = this.#verified.keys();
    if (this.#verified.size > verifiedMax && oldest !== undefined) this.#verified.delete(oldest);
  }
}

const refused = (message: string, cause?: unknown): GatewayFault =>
  new GatewayFault("UNAUTHENTICATED", message, { cause });

/** Values of claims as headers; what is no plain value is JSON. */
export function claimHeaders(policy: JwtPolicy, payload: JWTPayload): readonly string[] {
  return (policy.claimsToHeaders ?? []).flatMap(({ claim, header }) => {
    const value = payload[claim];
    if (value === undefined) return [];
    const text = typeof value === "string" ? value : JSON.stringify(value);
    // A claim is what its issuer says: it must not end the header.
    return /^[\t\x20-\x7e]{0,4096}$/.test(text) ? [header.toLowerCase(), text] : [];
  });
}
