import type { Clock } from "@shallop/sdk/internal";
import type { CertificateIssuer, IssuedCertificate } from "./issuer.ts";

/** What the cluster's authority does (`api/pki/authority.ts`). */
export interface Authority {
  issue(
    subject: { readonly commonName: string; readonly names: readonly string[]; readonly usages: readonly ["server"] },
    wallMs: number,
  ): Promise<{ readonly certificate: string; readonly key: string }>;
}

// They live for ten years; nobody but who trusts the cluster's authority relies on them.
const renewAfterMs = 5 * 365 * 24 * 3600 * 1000;

/** Certificates of the cluster's own authority (`pki/ca.crt` of its data directory): for development. */
export class InternalIssuer implements CertificateIssuer {
  readonly #authority: Authority;
  readonly #clock: Clock;

  constructor(authority: Authority, clock: Clock) {
    this.#authority = authority;
    this.#clock = clock;
  }

  async issue(names: readonly string[]): Promise<IssuedCertificate> {
    const wallMs = this.#clock.wallMs();
    // Not the authority's own name: a certificate whose subject is its issuer is taken for self-signed.
    const subject = { commonName: "shallop-gateway", names, usages: ["server"] as const };
    return { ...(await this.#authority.issue(subject, wallMs)), renewAtMs: wallMs + renewAfterMs };
  }
}
