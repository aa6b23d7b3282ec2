/** Issues certificates for host names. One is the cluster's own authority, for development; another speaks ACME. */
export interface CertificateIssuer {
  /** It counts who asks in vain: the pause after the first time, which doubles. */
  readonly retryMsMin?: number;
  /** @throws what kept it from issuing; with the code AUTHORITY_UNREACHABLE nobody has counted it */
  issue(names: readonly string[], signal: AbortSignal): Promise<IssuedCertificate>;
}

export interface IssuedCertificate {
  /** PEM, with the chain. */
  readonly certificate: string;
  /** PKCS#8, PEM. */
  readonly key: string;
  /** Wall time from which on it is to be replaced. */
  readonly renewAtMs: number;
}

/** What `shallop.dev/issuer` may say. */
export type IssuerName = "internal" | "acme";
export type Issuers = Readonly<Partial<Record<IssuerName, CertificateIssuer>>>;
