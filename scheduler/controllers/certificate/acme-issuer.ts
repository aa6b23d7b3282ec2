import { X509Certificate } from "node:crypto";
import type * as Acme from "acme-client";
import { Fault } from "@shallop/sdk/internal";
import type { CertificateIssuer, IssuedCertificate } from "./issuer.ts";

type AcmeFaultCode =
  /** Nobody there answers, or nobody who is trusted. */
  | "AUTHORITY_UNREACHABLE"
  /** A wildcard wants a challenge by DNS, which this issuer does not do (RFC 8555, 7.1.3). */
  | "WILDCARD";

class AcmeFault extends Fault<AcmeFaultCode> {}

/** Where a gateway finds what it is to answer to the authority that asks (RFC 8555, 8.3: HTTP-01). */
export interface Challenges {
  put(challenge: Challenge): Promise<void>;
  remove(token: string): Promise<void>;
}

export interface Challenge {
  readonly host: string;
  readonly token: string;
  readonly keyAuthorization: string;
}

export interface AcmeIssuerOptions {
  /** URL of the authority's directory. */
  readonly directoryUrl: string;
  readonly email: string | undefined;
  /** PEM; the account is known by it. */
  readonly accountKey: string;
  readonly challenges: Challenges;
  /** The first pause between two questions whether the authority is done; it grows to six times as long. */
  readonly pollMsMin?: number;
}

// An authority needs some seconds for its own questions, from several places of the world.
const pollMsMinDefault = 5_000;

// An authority that does not answer by then is down; the next try is not far.
const reachTimeoutMs = 30_000;

// Let's Encrypt advises to renew when a third of the lifetime is left.
const renewAfterShare = 2 / 3;

/** Loaded when somebody has an authority of his own: it takes 70 ms of the processor, which a control plane's start need not wait for. */
const loadAcme = (): Promise<typeof Acme> => import("acme-client");

/** Certificates of an ACME authority such as Let's Encrypt (RFC 8555), by challenges over HTTP. */
export class AcmeIssuer implements CertificateIssuer {
  /** Let's Encrypt takes five in vain for a name and an hour: so there are four. */
  readonly retryMsMin = 300_000;
  readonly #options: AcmeIssuerOptions;

  constructor(options: AcmeIssuerOptions) {
    this.#options = options;
  }

  /** @throws AcmeFault WILDCARD, AUTHORITY_UNREACHABLE; what the authority says */
  async issue(names: readonly string[], signal: AbortSignal): Promise<IssuedCertificate> {
    const wildcard = names.find((name) => name.startsWith("*"));
    if (wildcard !== undefined)
      throw new AcmeFault("WILDCARD", `${wildcard} is a wildcard: name the hosts, or use the issuer "internal"`);
    const { directoryUrl, accountKey, email, challenges, pollMsMin = pollMsMinDefault } = this.#options;
    await reach(directoryUrl, signal);
    const { Client, crypto } = await loadAcme();
    const client = new Client({ directoryUrl, accountKey, backoffMin: pollMsMin, backoffMax: pollMsMin * 6 });
    const [key, csr] = await crypto.createCsr({ altNames: [...names] }, await crypto.createPrivateEcdsaKey());
    const certificate = await client.auto({
      csr,
      ...(email === undefined ? {} : { email }),
      termsOfServiceAgreed: true,
      challengePriority: ["http-01"],
      // The authority asks from where it is; whether this machine reaches itself by that name says nothing.
      skipChallengeVerification: true,
      challengeCreateFn: ({ identifier }, { token }, keyAuthorization) =>
        challenges.put({ host: identifier.value, token, keyAuthorization }),
      challengeRemoveFn: (_authorization, { token }) => challenges.remove(token),
    });
    return { certificate, key: key.toString(), renewAtMs: renewAt(certificate) };
  }
}

/** The library tries again for more than a minute where there is nobody, and does not say why it gave up. */
async function reach(directoryUrl: string, signal: AbortSignal): Promise<void> {
  try {
    const answer = await fetch(directoryUrl, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(reachTimeoutMs)]),
    });
    await answer.body?.cancel();
  } catch (error) {
    throw new AcmeFault("AUTHORITY_UNREACHABLE", `${directoryUrl} cannot be reached`, { cause: error });
  }
}

/** A new key for an account, PEM. */
export async function newAccountKey(): Promise<string> {
  const { crypto } = await loadAcme();
  return (await crypto.createPrivateEcdsaKey()).toString();
}

function renewAt(chain: string): number {
  const { validFromDate, validToDate } = new X509Certificate(chain);
  const [fromMs, toMs] = [validFromDate.getTime(), validToDate.getTime()];
  return Math.round(fromMs + (toMs - fromMs) * renewAfterShare);
}
