import { createSecureContext, type SecureContext } from "node:tls";
import { anyHost } from "@shallop/sdk/api";
import { describeError, type Log } from "@shallop/sdk/internal";
import type { CertificateName } from "../route/certificates.ts";

interface Made {
  readonly version: string;
  /** Undefined: the secret has no certificate that can be used. */
  readonly context: SecureContext | undefined;
}

/**
 * The certificates of all hosts. They are looked up anew after each change, by the next handshake, and made into contexts
 * once: connections that are open keep theirs, so that a renewal costs nobody anything.
 */
export class CertificateStore {
  readonly #names: () => readonly CertificateName[];
  readonly #log: Log;
  readonly #madeByUid = new Map<string, Made>();
  #contextByHost: ReadonlyMap<string, SecureContext> | undefined;

  constructor(names: () => readonly CertificateName[], log: Log) {
    this.#names = names;
    this.#log = log;
  }

  /** Secrets, or what names them, are others now. */
  changed(): void {
    this.#contextByHost = undefined;
  }

  /** For the name that a client asks for (RFC 6066, 3): its own, the longest wildcard's, or that for any host. */
  contextFor(serverName: string): SecureContext | undefined {
    const contexts = (this.#contextByHost ??= this.#make());
    const host = serverName.toLowerCase();
    const own = contexts.get(host);
    if (own !== undefined) return own;
    for (let dot = host.indexOf("."); dot !== -1; dot = host.indexOf(".", dot + 1)) {
      const wild = contexts.get(`*${host.slice(dot)}`);
      if (wild !== undefined) return wild;
    }
    return contexts.get(anyHost);
  }

  #make(): ReadonlyMap<string, SecureContext> {
    const contextByHost = new Map<string, SecureContext>();
    const seen = new Set<string>();
    for (const { host, secret } of this.#names()) {
      seen.add(secret.metadata.uid);
      const context = this.#contextOf(secret);
      if (context !== undefined) contextByHost.set(host, context);
    }
    for (const uid of this.#madeByUid.keys()) if (!seen.has(uid)) this.#madeByUid.delete(uid);
    return contextByHost;
  }

  #contextOf({ metadata, data = {} }: CertificateName["secret"]): SecureContext | undefined {
    const known = this.#madeByUid.get(metadata.uid);
    if (known?.version === metadata.resourceVersion) return known.context;
    let context: SecureContext | undefined;
    try {
      context = createSecureContext({
        cert: textOf(data["tls.crt"]),
        key: textOf(data["tls.key"]),
        minVersion: "TLSv1.2",
      });
    } catch (error) {
      // The one before goes on: a renewal that went wrong takes no host away.
      context = known?.context;
      const secret = `${metadata.namespace ?? ""}/${metadata.name}`;
      this.#log.warn("a secret has no certificate that can be used", { secret, reason: describeError(error) });
    }
    this.#madeByUid.set(metadata.uid, { version: metadata.resourceVersion, context });
    return context;
  }
}

const textOf = (base64: string | undefined): string => Buffer.from(base64 ?? "", "base64").toString("utf8");
