import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type KeptSocket, listenAt } from "./listen-place.ts";
import { type Metrics, prometheusText, prometheusType } from "@shallop/sdk/internal/telemetry";

/** What is asked by probes and people. The parts that they act on; the rest is shown as it is. */
export interface Status {
  /** The gateway knows all routes. */
  readonly complete: boolean;
}

// A probe and a person or two; never clients.
const connectionsMax = 16;
const requestTimeoutMs = 5_000;

/**
 * The gateway's own state over HTTP, on loopback: `/healthz` (it answers), `/readyz` (it knows all routes), `/status`
 * (JSON: requests, queues, pods and latencies by revision), `/metrics` (for Prometheus).
 */
export class StatusServer {
  readonly #status: () => Status;
  readonly #metrics: Metrics;
  readonly #server: Server;

  constructor(status: () => Status, metrics: Metrics) {
    this.#status = status;
    this.#metrics = metrics;
    this.#server = createServer(
      { requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs },
      (incoming, outgoing) => this.#answer(incoming, outgoing),
    );
    this.#server.maxConnections = connectionsMax;
  }

  /** @returns the port. */
  async listen(port: number, kept?: KeptSocket): Promise<number> {
    return (await listenAt(this.#server, { host: "127.0.0.1", port, kept })).port;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #answer(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const text = (code: number, body: string): void => {
      outgoing.writeHead(code, { "content-type": "text/plain" });
      outgoing.end(`${body}\n`);
    };
    if (incoming.method !== "GET") return text(405, "only GET");
    if (incoming.url === "/healthz") return text(200, "ok");
    if (incoming.url === "/metrics") return void this.#scrape(outgoing);
    const status = this.#status();
    if (incoming.url === "/readyz")
      return status.complete ? text(200, "ok") : text(503, "not all routes are known yet");
    if (incoming.url !== "/status") return text(404, "there are /healthz, /readyz, /status and /metrics");
    outgoing.writeHead(200, { "content-type": "application/json" });
    outgoing.end(`${JSON.stringify(status, undefined, 2)}\n`);
  }

  async #scrape(outgoing: ServerResponse): Promise<void> {
    const text = prometheusText(await this.#metrics.collect());
    outgoing.writeHead(200, { "content-type": prometheusType });
    outgoing.end(text);
  }
}
