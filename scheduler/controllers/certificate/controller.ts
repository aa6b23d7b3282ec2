import { type Secret, secretType } from "@shallop/sdk/api";
import { type EventRecorder, referenceTo } from "@shallop/sdk/client";
import { type Clock, describeError } from "@shallop/sdk/internal";
import type { Cluster, WatchedKind } from "../shared/cluster.ts";
import type { IssuedCertificate, Issuers } from "./issuer.ts";
import {
  issuerAnnotation,
  namesAnnotation,
  planCertificates,
  renewAtAnnotation,
  type WantedCertificate,
} from "./plan.ts";

export interface CertificateControllerOptions {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly events: EventRecorder;
  readonly domain: string;
  readonly issuers: Issuers;
}

// A certificate is renewed days before it ends; an hour more or less is nothing.
const lookAgainMs = 3_600_000;

/** Has certificates issued for those who ask for them, and again before they end. */
export class CertificateController {
  readonly #options: CertificateControllerOptions;

  constructor(options: CertificateControllerOptions) {
    this.#options = options;
  }

  /** Whether a change of this kind may want another certificate. */
  static concerns(kind: WatchedKind): boolean {
    return ["ingresses", "gateways", "domainMappings", "namespaces", "secrets"].includes(kind);
  }

  async reconcile(signal: AbortSignal): Promise<number | undefined> {
    const { cluster, clock, domain, issuers } = this.#options;
    const due = planCertificates({
      ingresses: cluster.of("ingresses").items(),
      gateways: cluster.of("gateways").items(),
      domainMappings: cluster.of("domainMappings").items(),
      namespaces: [...cluster.of("namespaces").items()]
        .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
        .map(({ metadata }) => metadata.name),
      domain,
      secret: (namespace, name) => cluster.of("secrets").get(namespace, name),
      has: (issuer) => issuers[issuer] !== undefined,
      wallMs: clock.wallMs(),
    });
    const failures: unknown[] = [];
    // One that cannot be issued does not keep the others waiting.
    for (const certificate of due)
      await this.#issue(certificate, signal).catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
    return lookAgainMs;
  }

  async #issue(wanted: WantedCertificate, signal: AbortSignal): Promise<void> {
    const issuer = this.#options.issuers[wanted.issuer];
    if (issuer === undefined) return;
    try {
      await this.#write(wanted, await issuer.issue(wanted.names, signal));
    } catch (error) {
      const sentence = `no certificate for ${wanted.names.join(", ")}: ${describeError(error)}`;
      const about = this.#options.cluster.of("secrets").get(wanted.namespace, wanted.name) ?? unwritten(wanted);
      this.#options.events.event(referenceTo(about), "Warning", "CertificateFailed", sentence);
      throw error;
    }
  }

  async #write(wanted: WantedCertificate, issued: IssuedCertificate): Promise<void> {
    const { cluster } = this.#options;
    const base64 = (text: string): string => Buffer.from(text, "utf8").toString("base64");
    const data = { "tls.crt": base64(issued.certificate), "tls.key": base64(issued.key) };
    const annotations = {
      [issuerAnnotation]: wanted.issuer,
      [namesAnnotation]: wanted.names.join(","),
      [renewAtAnnotation]: String(issued.renewAtMs),
    };
    const present = cluster.of("secrets").get(wanted.namespace, wanted.name);
    if (present !== undefined) await cluster.merge("secrets", present, { metadata: { annotations }, data });
    else {
      const { namespace, name } = wanted;
      const metadata = { namespace, name, annotations };
      await cluster.create("secrets", { apiVersion: "v1", kind: "Secret", metadata, type: secretType.tls, data });
    }
  }
}

const unwritten = ({ namespace, name }: WantedCertificate): Secret => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { namespace, name, uid: "", resourceVersion: "", generation: 0, creationTimestamp: "" },
  type: secretType.tls,
});
