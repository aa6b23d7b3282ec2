import { createSecureContext, type SecureContext } from "node:tls";
import { anyHost } from "@shallop/sdk/api";
import { describeError, type Log } from "@shallop/sdk/internal";
import type { CertificateName } from "../route/certificates.ts";

/** In PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** A secret's certificate that can be used. */
interface Usable {
  readonly pair: KeyPair;
  readonly context: SecureContext;
}

interface Made {
  readonly version: string;
  /** Undefined: the secret has none. */
  readonly usable: Usable | undefined;
}

/**
 * The certificates of all hosts. They are looked up anew after each change, by the next handshake, and made into contexts
 * once: connections that are open keep theirs, so that a renewal costs nobody anything.
 */
export class CertificateStore {
  readonly #names: () => readonly CertificateName[];
  readonly #log: Log;
  readonly #madeByUid = new Map<string, Made>();
  #usableByHost: ReadonlyMap<string, Usable> | undefined;

  constructor(names: () => readonly CertificateName[], log: Log) {
    this.#names = names;
    this.#log = log;
  }

  /** Secrets, or what names them, are others now. */
  changed(): void {
    this.#usableByHost = undefined;
  }

  /** For the name that a client asks for (RFC 6066, 3): its own, the longest wildcard's, or that for any host. */
  contextFor(serverName: string): SecureContext | undefined {
    const usable = this.#usable;
    const host = serverName.toLowerCase();
    const own = usable.get(host);
    if (own !== undefined) return own.context;
    for (let dot = host.indexOf("."); dot !== -1; dot = host.indexOf(".", dot + 1)) {
      const wild = usable.get(`*${host.slice(dot)}`);
      if (wild !== undefined) return wild.context;
    }
    return usable.get(anyHost)?.context;
  }

  /** For clients that name nobody. */
  defaultPair(): KeyPair | undefined {
    return this.#usable.get(anyHost)?.pair;
  }

  get #usable(): ReadonlyMap<string, Usable> {
    return (this.#usableByHost ??= this.#make());
  }

  #make(): ReadonlyMap<string, Usable> {
    const usableByHost = new Map<string, Usable>();
    const seen = new Set<string>();
    for (const { host, secret } of this.#names()) {
      seen.add(secret.metadata.uid);
      const usable = this.#usableOf(secret);
      if (usable !== undefined) usableByHost.set(host, usable);
    }
    for (const uid of this.#madeByUid.keys()) if (!seen.has(uid)) this.#madeByUid.delete(uid);
    return usableByHost;
  }

  #usableOf({ metadata, data = {} }: CertificateName["secret"]): Usable | undefined {
    const known = this.#madeByUid.get(metadata.uid);
    if (known?.version === metadata.resourceVersion) return known.usable;
    let usable: Usable | undefined;
    try {
      const pair = { cert: textOf(data["tls.crt"]), key: textOf(data["tls.key"]) };
      usable = { pair, context: createSecureContext({ ...pair, minVersion: "TLSv1.2" }) };
    } catch (error) {
      // The one before goes on: a renewal that went wrong takes no host away.
      usable = known?.usable;
      const secret = `${metadata.namespace ?? ""}/${metadata.name}`;
      this.#log.warn("a secret has no certificate that can be used", { secret, reason: describeError(error) });
    }
    this.#madeByUid.set(metadata.uid, { version: metadata.resourceVersion, usable });
    return usable;
  }
}

const textOf = (base64: string | undefined): string => Buffer.from(base64 ?? "", "base64").toString("utf8");
