import { type Secret, secretType } from "@shallop/sdk/api";
import { type EventRecorder, referenceTo } from "@shallop/sdk/client";
import { type Clock, describeError, errorCode } from "@shallop/sdk/internal";
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

// Somebody may have mended it in the meantime, and waits.
const retryMsMax = 6 * 3_600_000;

interface Rest {
  readonly failures: number;
  readonly untilMs: number;
}

// A certificate is renewed days before it ends; an hour more or less is nothing.
const lookAgainMs = 3_600_000;

/** Has certificates issued for those who ask for them, and again before they end. */
export class CertificateController {
  readonly #options: CertificateControllerOptions;
  /** Certificates that were asked for in vain, by what is wanted: for another name it is asked at once. */
  #resting = new Map<string, Rest>();

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
    this.#resting = new Map(due.flatMap((wanted) => this.#restOf(wanted)));
    // One that cannot be issued does not keep the others waiting.
    for (const certificate of due)
      await this.#issue(certificate, signal).catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
    const untilMs = Math.min(...[...this.#resting.values()].map((rest) => rest.untilMs));
    return Math.min(lookAgainMs, Math.max(0, untilMs - clock.nowMs()));
  }

  #restOf(wanted: WantedCertificate): readonly (readonly [string, Rest])[] {
    const rest = this.#resting.get(keyOf(wanted));
    return rest === undefined ? [] : [[keyOf(wanted), rest]];
  }

  async #issue(wanted: WantedCertificate, signal: AbortSignal): Promise<void> {
    const issuer = this.#options.issuers[wanted.issuer];
    const { clock } = this.#options;
    const { failures = 0, untilMs = 0 } = this.#resting.get(keyOf(wanted)) ?? {};
    if (issuer === undefined || clock.nowMs() < untilMs) return;
    try {
      await this.#write(wanted, await issuer.issue(wanted.names, signal));
      this.#resting.delete(keyOf(wanted));
    } catch (error) {
      const sentence = `no certificate for ${wanted.names.join(", ")}: ${describeError(error)}`;
      const about = this.#options.cluster.of("secrets").get(wanted.namespace, wanted.name) ?? unwritten(wanted);
      this.#options.events.event(referenceTo(about), "Warning", "CertificateFailed", sentence);
      const { retryMsMin } = issuer;
      if (retryMsMin === undefined || errorCode(error) === "AUTHORITY_UNREACHABLE") throw error;
      const waitMs = Math.min(retryMsMax, retryMsMin * 2 ** failures);
      this.#resting.set(keyOf(wanted), { failures: failures + 1, untilMs: clock.nowMs() + waitMs });
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

const keyOf = ({ namespace, name, issuer, names }: WantedCertificate): string =>
  `${namespace}/${name} ${issuer} ${names.join(",")}`;

const unwritten = ({ namespace, name }: WantedCertificate): Secret => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { namespace, name, uid: "", resourceVersion: "", generation: 0, creationTimestamp: "" },
  type: secretType.tls,
});
