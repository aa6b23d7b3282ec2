import type { X509Certificate } from "node:crypto";
import { isIP } from "node:net";

/**
 * The hosts that a connection of HTTPS speaks for: the one that its client has asked for, and those that its certificate names. A
 * client of HTTP/2 sends requests for other hosts along it when it believes that the certificate is theirs too (RFC 9113, 9.1.1).
 */
export class SpokenNames {
  readonly #asked: string | undefined;
  readonly #certificate: Pick<X509Certificate, "checkHost" | "checkIP"> | undefined;
  /** Answers of before: a client asks for few hosts, and each of them often. */
  readonly #known = new Map<string, boolean>();

  /** @param asked by SNI; a client that sends none asks for whatever there is, and names its host only in requests */
  constructor(asked: string | undefined, certificate: Pick<X509Certificate, "checkHost" | "checkIP"> | undefined) {
    this.#asked = asked?.toLowerCase();
    this.#certificate = certificate;
  }

  /** @param host in lower case, without a port */
  includes(host: string): boolean {
    if (this.#asked === undefined || this.#asked === host || this.#certificate === undefined) return true;
    const known = this.#known.get(host);
    if (known !== undefined) return known;
    const bare = host.startsWith("[") ? host.slice(1, -1) : host;
    const certificate = this.#certificate;
    const named = isIP(bare) === 0 ? certificate.checkHost(bare) : certificate.checkIP(bare);
    if (this.#known.size >= knownMax) this.#known.clear();
    this.#known.set(host, named !== undefined);
    return named !== undefined;
  }
}

// A client that makes up hosts fills no memory.
const knownMax = 100;
