import { type Buckets, type Counter, durationBounds, type Family, type Metrics } from "@shallop/sdk/internal/telemetry";
import { GatewayFault } from "../proxy/fault-status.ts";
import type { NodeAgents } from "../activate/dispatcher.ts";
import type { RequestRecord, RequestWatcher } from "./request-record.ts";

// OpenTelemetry's conventions for HTTP: the methods of RFC 9110 and 5789 by name, any other as `_OTHER`.
const methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
const ofRevision = ["k8s.namespace.name", "kn.revision.name"];
// Answers of one revision that are counted apart: a guest may answer with any of 900 statuses.
const answersMax = 64;

/** What is kept of one revision, so that a request costs two look-ups and a few additions. */
interface RevisionSeries {
  /** By status, method and scheme as one number. */
  readonly server: Map<number, Buckets>;
  readonly held: Buckets;
  readonly client: Buckets;
}

/** Requests as metrics, by OpenTelemetry's conventions for HTTP. */
export class RequestMetrics implements RequestWatcher {
  readonly #seriesByRevision = new Map<string, RevisionSeries>();
  readonly #server: Family<Buckets>;
  readonly #client: Family<Buckets>;
  readonly #held: Family<Buckets>;
  readonly #faults: Family<Counter>;
  readonly #attempts: Family<Counter>;
  readonly #received: Counter;
  readonly #sent: Counter;
  readonly #activations: Family<Buckets>;
  readonly #peerMessagesLost: Counter;

  constructor(metrics: Metrics) {
    this.#server = metrics.histogram(
      {
        name: "http.server.request.duration",
        description: "From the head of a request to the end of its answer.",
        unit: "s",
        labels: [...ofRevision, "http.request.method", "url.scheme", "http.response.status_code", "error.type"],
      },
      durationBounds,
    );
    this.#client = metrics.histogram(
      {
        name: "http.client.request.duration",
        description: "From the moment that a pod got a request to the end of its answer; error.type: why it was none.",
        ...{ unit: "s", labels: [...ofRevision, "error.type"] },
      },
      durationBounds,
    );
    this.#held = metrics.histogram(
      {
        name: "shallop.gateway.hold.duration",
        description: "How long requests that found no free pod waited for one.",
        ...{ unit: "s", labels: ofRevision },
      },
      durationBounds,
    );
    this.#activations = metrics.histogram(
      {
        name: "shallop.gateway.activation.duration",
        description: "What nodes took to bring up a pod, asked or ahead; error.type: why there is none.",
        ...{ unit: "s", labels: [...ofRevision, "error.type"] },
      },
      durationBounds,
    );
    this.#faults = metrics.counter({
      name: "shallop.gateway.faults",
      description: "Requests that no pod has answered to the end, by the code that the answer names.",
      ...{ unit: "{request}", labels: ["error.type"] },
    });
    this.#attempts = metrics.counter({
      name: "shallop.gateway.attempts.failed",
      description: "Pods that a request was given to in vain; all but the last were tried again elsewhere.",
      ...{ unit: "{attempt}", labels: [...ofRevision, "error.type"] },
    });
    const bytes = { unit: "By", labels: [] };
    const of = (name: string, description: string): Counter => metrics.counter({ name, description, ...bytes }).of();
    this.#received = of("shallop.gateway.received", "Bodies of requests.");
    this.#sent = of("shallop.gateway.sent", "Bodies of answers.");
    const peerMessages =
      "Messages for WebSockets of other gateways that have not reached one, or nobody knows whether they have.";
    this.#peerMessagesLost = metrics
      .counter({ name: "shallop.gateway.peer.messages.lost", description: peerMessages, unit: "{message}", labels: [] })
      .of();
  }

  peerMessagesLost(count: number): void {
    this.#peerMessagesLost.add(count);
  }

  ended(record: RequestRecord): void {
    const { revision, story, code } = record;
    this.#received.add(record.bytesReceived);
    this.#sent.add(record.bytesSent);
    if (code !== undefined) this.#faults.of(code).add();
    const seconds = record.durationMs / 1000;
    if (revision === undefined) return this.#serverSeries(record, "", "").record(seconds);
    const series = this.#series(revision);
    this.#answered(record, series).record(seconds);
    if (story === undefined) return;
    const { grantedMs, sentMs, attempts } = story;
    if (grantedMs !== undefined && story.isHeld) {
      series.held.record((grantedMs - story.arrivedMs) / 1000);
    }
    if (sentMs !== undefined && code === undefined) series.client.record((record.endMs - sentMs) / 1000);
    for (const { outcome, fromMs, toMs } of attempts) {
      this.#attempts.of(revision.namespace, revision.name, outcome).add();
      this.#client.of(revision.namespace, revision.name, outcome).record((toMs - fromMs) / 1000);
    }
  }

  /** The same agents, with their calls counted. */
  watchAgents(agents: NodeAgents): NodeAgents {
    return {
      standby: (node, target) => agents.standby(node, target),
      // An answer that was given ahead may be to nobody's connection any more: then the node is asked, and that counts.
      standbyCame: ({ namespace, name }, tookMs) => this.#activations.of(namespace, name, "").record(tookMs / 1000),
      activate: async (node, target, signal) => {
        const startMs = performance.now();
        const over = (error: string): void =>
          this.#activations.of(target.namespace, target.name, error).record((performance.now() - startMs) / 1000);
        try {
          const activation = await agents.activate(node, target, signal);
          over("");
          return activation;
        } catch (error) {
          over(error instanceof GatewayFault ? error.code : "UNKNOWN");
          throw error;
        }
      },
    };
  }

  /** The revision is gone. */
  forget(key: string): void {
    this.#seriesByRevision.delete(key);
    for (const family of [this.#server, this.#client, this.#held, this.#activations, this.#attempts]) {
      family.forget((labels) => `${labels["k8s.namespace.name"]}/${labels["kn.revision.name"]}` === key);
    }
  }

  #series({ key, namespace, name }: NonNullable<RequestRecord["revision"]>): RevisionSeries {
    let series = this.#seriesByRevision.get(key);
    if (series === undefined) {
      const held = this.#held.of(namespace, name);
      series = { server: new Map(), held, client: this.#client.of(namespace, name, "") };
      this.#seriesByRevision.set(key, series);
    }
    return series;
  }

  #answered(record: RequestRecord, { server }: RevisionSeries): Buckets {
    const { namespace = "", name = "" } = record.revision ?? {};
    if (record.code !== undefined) return this.#serverSeries(record, namespace, name);
    const { method, scheme } = record.origin;
    const number = (record.status * 16 + methods.indexOf(method) + 1) * 2 + (scheme === "https" ? 1 : 0);
    let buckets = server.get(number);
    if (buckets === undefined) {
      if (server.size < answersMax) buckets = this.#serverSeries(record, namespace, name);
      else buckets = this.#server.of(namespace, name, "other", "other", "other", "");
      server.set(server.size < answersMax ? number : -1, buckets);
    }
    return buckets;
  }

  #serverSeries({ origin, status, code }: RequestRecord, namespace: string, name: string): Buckets {
    const method = methods.includes(origin.method) ? origin.method : "_OTHER";
    const error = code ?? (status >= 500 ? String(status) : "");
    return this.#server.of(namespace, name, method, origin.scheme, status === 0 ? "" : status, error);
  }
}
