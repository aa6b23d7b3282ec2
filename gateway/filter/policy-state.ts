import { type Secret, secretType } from "@shallop/sdk/api";
import { describeError } from "@shallop/sdk/internal";
import { GatewayFault } from "../proxy/fault-status.ts";
import type { CompiledPolicy } from "../route/policy.ts";
import { AddressList } from "./address-list.ts";
import { JwtVerifier } from "./jwt-verifier.ts";
import { Outliers } from "./outliers.ts";
import { RateLimiter } from "./rate-limiter.ts";

/** Looks a Secret up; the gateway knows those of the types that it has a use for. */
export type SecretSource = (namespace: string, name: string) => Secret | undefined;

/** What a policy remembers from one request to the next, and what is made of it once. */
export class PolicyState {
  readonly limiters: readonly RateLimiter[];
  readonly addresses: AddressList | undefined;
  readonly outliers: Outliers | undefined;
  readonly #policy: CompiledPolicy;
  #verifier: { readonly jwks: string; readonly made: JwtVerifier } | undefined;

  constructor(policy: CompiledPolicy) {
    this.#policy = policy;
    this.limiters = policy.rateLimits.map((rule) => new RateLimiter(rule));
    this.addresses = policy.clients === undefined ? undefined : new AddressList(policy.clients);
    this.outliers = policy.outliers === undefined ? undefined : new Outliers(policy.outliers);
  }

  /** Undefined when the policy wants no tokens. @throws GatewayFault RULE_UNUSABLE when its keys are not there */
  verifier(secrets: SecretSource): JwtVerifier | undefined {
    const { jwt } = this.#policy;
    if (jwt === undefined) return undefined;
    const jwks = jwt.jwks ?? keySetOf(secrets(jwt.namespace, jwt.jwksSecret?.name ?? ""));
    // Without keys nobody is let in: a secret that is missing opens nothing.
    if (jwks === undefined) throw new GatewayFault("RULE_UNUSABLE", "the key set of a policy is not there");
    if (this.#verifier?.jwks === jwks) return this.#verifier.made;
    try {
      this.#verifier = { jwks, made: new JwtVerifier(jwt, jwks) };
    } catch (error) {
      throw new GatewayFault("RULE_UNUSABLE", `the key set of a policy is none: ${describeError(error)}`, {
        cause: error,
      });
    }
    return this.#verifier.made;
  }

  /** The secrets that basic authentication goes by. @throws GatewayFault RULE_UNUSABLE when none is there */
  users(secrets: SecretSource): readonly Secret[] {
    const { basicAuth } = this.#policy;
    const found = (basicAuth?.secrets ?? []).flatMap((name) => {
      const secret = secrets(basicAuth?.namespace ?? "", name);
      return secret?.type === secretType.basicAuth ? [secret] : [];
    });
    if (found.length === 0) throw new GatewayFault("RULE_UNUSABLE", "the users of a policy are not there");
    return found;
  }
}

function keySetOf(secret: Secret | undefined): string | undefined {
  const base64 = secret?.type === secretType.jwks ? secret.data?.["jwks.json"] : undefined;
  return base64 === undefined ? undefined : Buffer.from(base64, "base64").toString("utf8");
}
