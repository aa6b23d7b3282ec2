import type { Clock } from "@shallop/sdk/internal";
import type { JWTPayload } from "jose";
import type { AcceptedRequest } from "../listen/http-server.ts";
import { GatewayFault } from "../proxy/fault-status.ts";
import type { CompiledPolicy } from "../route/policy.ts";
import { headerValue } from "../route/predicates.ts";
import { basicUser } from "./basic-auth.ts";
import { claimHeaders } from "./jwt-verifier.ts";
import type { PolicyState, SecretSource } from "./policy-state.ts";

export interface GuardContext {
  readonly clock: Clock;
  readonly secrets: SecretSource;
  /** How many gateways share a rate. */
  readonly gateways: () => number;
}

/** What a guard says of a request that may pass: changes of its headers. */
export interface Pass {
  /** Headers that do not go on. */
  readonly drop: ReadonlySet<string>;
  /** Flat. */
  readonly add: readonly string[];
}

/**
 * Holds a request against what a policy demands of clients: address, rate, size, user, token; the cheap checks first.
 * @throws GatewayFault CLIENT_REFUSED, RATE_LIMITED, BODY_TOO_LARGE, UNAUTHENTICATED, RULE_UNUSABLE
 */
export function guard(
  request: AcceptedRequest,
  { policy, state }: { readonly policy: CompiledPolicy; readonly state: PolicyState },
  context: GuardContext,
): Pass | Promise<Pass> {
  const { address } = request.client;
  if (state.addresses?.admits(address) === false) throw new GatewayFault("CLIENT_REFUSED", "");
  checkRate(state, address, context);
  if ((request.headers.contentLength ?? 0) > (policy.bodyBytesMax ?? Number.POSITIVE_INFINITY))
    throw new GatewayFault("BODY_TOO_LARGE", "");
  if (policy.basicAuth !== undefined) checkUser(request, policy.basicAuth.realm, state.users(context.secrets));
  const basic: Pass = policy.basicAuth === undefined ? nothing : { drop: new Set(["authorization"]), add: [] };
  return policy.jwt === undefined ? basic : checkToken(request, { policy, state, before: basic }, context);
}

const nothing: Pass = { drop: new Set(), add: [] };

function checkRate({ limiters }: PolicyState, address: string, { clock, gateways }: GuardContext): void {
  for (const limiter of limiters) {
    const waitMs = limiter.take(address, clock.nowMs(), gateways());
    if (waitMs === 0) continue;
    const headers = ["retry-after", String(Math.max(1, Math.ceil(waitMs / 1000)))];
    throw new GatewayFault("RATE_LIMITED", "", { headers });
  }
}

function checkUser({ headers, record }: AcceptedRequest, realm: string, users: Parameters<typeof basicUser>[1]): void {
  const user = basicUser(headerValue(headers.headers, "authorization"), users);
  if (user !== undefined && record !== undefined) record.user = user;
  if (user !== undefined) return;
  const challenge = ["www-authenticate", `Basic realm="${realm}", charset="UTF-8"`];
  throw new GatewayFault("UNAUTHENTICATED", "", { headers: challenge });
}

function checkToken(
  { headers, record }: AcceptedRequest,
  { policy, state, before }: { readonly policy: CompiledPolicy; readonly state: PolicyState; readonly before: Pass },
  { clock, secrets }: GuardContext,
): Pass | Promise<Pass> {
  const verifier = state.verifier(secrets);
  const { jwt } = policy;
  if (verifier === undefined || jwt === undefined) return before;
  const drop = new Set([...before.drop, ...(jwt.claimsToHeaders ?? []).map(({ header }) => header.toLowerCase())]);
  const token = tokenOf(headers.headers, jwt.header);
  if (token === undefined) {
    if (jwt.optional === true) return { drop, add: before.add };
    throw new GatewayFault("UNAUTHENTICATED", "", { headers: ["www-authenticate", "Bearer"] });
  }
  const admit = (payload: JWTPayload): Pass => {
    if (record !== undefined && typeof payload.sub === "string") record.user = payload.sub;
    return { drop, add: claimHeaders(jwt, payload) };
  };
  const remembered = verifier.remembered(token, clock.wallMs());
  if (remembered !== undefined) return admit(remembered);
  return verifier.verify(token).then(admit, (error: unknown) => {
    throw new GatewayFault("UNAUTHENTICATED", "", {
      cause: error,
      headers: ["www-authenticate", 'Bearer error="invalid_token"'],
    });
  });
}

function tokenOf(headers: readonly string[], name: string | undefined): string | undefined {
  if (name !== undefined && name.toLowerCase() !== "authorization") return headerValue(headers, name.toLowerCase());
  return /^bearer +([A-Za-z0-9\-._~+/=]+)$/i.exec(headerValue(headers, "authorization") ?? "")?.[1];
}
