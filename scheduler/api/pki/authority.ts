import "reflect-metadata";
import { createHash, webcrypto } from "node:crypto";
import { isIP } from "node:net";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Pkcs10CertificateRequest,
  PemConverter,
  type PublicKeyType,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  AuthorityKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { Fault } from "@shallop/sdk/internal";

type AuthorityFaultCode =
  /** The files of the authority are damaged or do not belong together. */
  | "AUTHORITY_BROKEN"
  /** A certificate request is no PKCS#10, is not signed by its key, or has a key of another kind than P-256. */
  | "REQUEST_INVALID";

class AuthorityFault extends Fault<AuthorityFaultCode> {}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
// The cluster's own certificates live as long as its authority: nobody outside relies on them, and a laptop cluster
// that is started after a year shall just start.
const lifetimeMs = 10 * 365 * 24 * 3600 * 1000;
/** Machines' clocks differ. */
const skewMs = 5 * 60 * 1000;

export interface CertificateSubject {
  readonly commonName: string;
  readonly organization?: string;
  /** DNS names and IP addresses. */
  readonly names?: readonly string[];
  readonly usages: readonly ("server" | "client")[];
}

export interface IssuedPair {
  /** PEM. */
  readonly certificate: string;
  /** PKCS#8, PEM. */
  readonly key: string;
}

/** The cluster's authority: signs the certificates of the API server, of clients and of agents. ECDSA P-256. */
export class CertificateAuthority {
  readonly #certificate: X509Certificate;
  readonly #key: webcrypto.CryptoKey;
  /** PEM. */
  readonly certificate: string;
  /** SHA-256 of the certificate (DER), hex: what a joining agent pins. */
  readonly fingerprint: string;

  private constructor(certificate: X509Certificate, key: webcrypto.CryptoKey) {
    this.#certificate = certificate;
    this.#key = key;
    this.certificate = `${certificate.toString("pem")}\n`;
    this.fingerprint = createHash("sha256").update(Buffer.from(certificate.rawData)).digest("hex");
  }

  /** Makes a new authority. `wallMs` is now. Resolves with it and its key, PEM. */
  static async create(wallMs: number): Promise<{ readonly authority: CertificateAuthority; readonly key: string }> {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const certificate = await X509CertificateGenerator.createSelfSigned({
      serialNumber: serialNumber(),
      name: "CN=shallop",
      notBefore: new Date(wallMs - skewMs),
      notAfter: new Date(wallMs + lifetimeMs),
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    return {
      authority: new CertificateAuthority(certificate, keys.privateKey),
      key: await privateKeyPem(keys.privateKey),
    };
  }

  /** @throws AuthorityFault AUTHORITY_BROKEN */
  static async load(certificatePem: string, keyPem: string): Promise<CertificateAuthority> {
    try {
      const certificate = new X509Certificate(certificatePem);
      const [der] = PemConverter.decode(keyPem);
      if (der === undefined) throw new Error("no key in the file");
      const key = await webcrypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]);
      const probe = new TextEncoder().encode("probe");
      const signature = await webcrypto.subtle.sign(algorithm, key, probe);
      const publicKey = await certificate.publicKey.export(algorithm, ["verify"]);
      if (!(await webcrypto.subtle.verify(algorithm, publicKey, signature, probe))) {
        throw new Error("the key is not the certificate's");
      }
      return new CertificateAuthority(certificate, key);
    } catch (error) {
      const text =
        "the certificate authority in pki/ca.crt and pki/ca.key cannot be used; restore both from a backup, or delete both for a new cluster identity";
      throw new AuthorityFault("AUTHORITY_BROKEN", text, { cause: error });
    }
  }

  /** A new key and a certificate for it. */
  async issue(subject: CertificateSubject, wallMs: number): Promise<IssuedPair> {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const certificate = await this.#sign(subject, keys.publicKey, wallMs);
    return { certificate, key: await privateKeyPem(keys.privateKey) };
  }

  /**
   * A certificate for the key of a PKCS#10 request (PEM). What the request says about its subject is ignored.
   * Resolves with it and the SHA-256 of the public key, hex. @throws AuthorityFault REQUEST_INVALID
   */
  async signRequest(
    requestPem: string,
    subject: CertificateSubject,
    wallMs: number,
  ): Promise<{ readonly certificate: string; readonly keyFingerprint: string }> {
    const key = await requestedKey(requestPem);
    const keyFingerprint = createHash("sha256").update(Buffer.from(key.rawData)).digest("hex");
    return { certificate: await this.#sign(subject, key, wallMs), keyFingerprint };
  }

  async #sign(subject: CertificateSubject, publicKey: PublicKeyType, wallMs: number): Promise<string> {
    const names = (subject.names ?? []).map((name) => ({
      type: isIP(name) === 0 ? ("dns" as const) : ("ip" as const),
      value: name,
    }));
    const usages = { server: ExtendedKeyUsage.serverAuth, client: ExtendedKeyUsage.clientAuth };
    const organization = subject.organization === undefined ? [] : [{ O: [subject.organization] }];
    const certificate = await X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      // As parts, not as text: no name can add a part of its own.
      subject: [...organization, { CN: [subject.commonName] }],
      issuer: this.#certificate.subject,
      notBefore: new Date(wallMs - skewMs),
      notAfter: this.#certificate.notAfter,
      signingAlgorithm: algorithm,
      publicKey,
      signingKey: this.#key,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension(subject.usages.map((usage) => usages[usage])),
        ...(names.length === 0 ? [] : [new SubjectAlternativeNameExtension(names)]),
        await AuthorityKeyIdentifierExtension.create(this.#certificate),
      ],
    });
    return `${certificate.toString("pem")}\n`;
  }
}

async function requestedKey(requestPem: string): Promise<Pkcs10CertificateRequest["publicKey"]> {
  let request: Pkcs10CertificateRequest;
  let isSigned: boolean;
  try {
    request = new Pkcs10CertificateRequest(requestPem);
    isSigned = await request.verify();
  } catch (error) {
    throw new AuthorityFault("REQUEST_INVALID", "the certificate request is no PKCS#10 in PEM", { cause: error });
  }
  const { algorithm: keyAlgorithm } = request.publicKey;
  if (!("namedCurve" in keyAlgorithm) || keyAlgorithm.namedCurve !== algorithm.namedCurve) {
    throw new AuthorityFault("REQUEST_INVALID", "the certificate request must have an ECDSA key on P-256");
  }
  if (!isSigned) throw new AuthorityFault("REQUEST_INVALID", "the certificate request is not signed by its own key");
  return request.publicKey;
}

/** RFC 5280, section 4.1.2.2: positive, unique, at most 20 octets. */
const serialNumber = (): string => `4${Buffer.from(webcrypto.getRandomValues(new Uint8Array(15))).toString("hex")}0`;

async function privateKeyPem(key: webcrypto.CryptoKey): Promise<string> {
  return `${PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY")}\n`;
}
