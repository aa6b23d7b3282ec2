import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export interface OtlpDelivery {
  readonly path: string;
  readonly type: string | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

interface OtlpAttribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string; readonly intValue?: number; readonly boolValue?: boolean };
}

/** What all that is exported has: whose it is, and what is known of it. */
interface OtlpItem {
  /** `service.name`. */
  readonly service: string;
  readonly attributes: Readonly<Record<string, string | number | boolean | undefined>>;
}

export interface OtlpSpan extends OtlpItem {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly name: string;
}

export interface OtlpLogRecord extends OtlpItem {
  readonly body: string;
  readonly traceId: string | undefined;
  readonly spanId: string | undefined;
  readonly severity: string;
}

/** A collector of OpenTelemetry's protocol over HTTP: keeps what it is sent, and reads it where it is JSON. */
export class OtlpCollector implements Disposable {
  readonly deliveries: OtlpDelivery[] = [];
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const { url: path = "", headers } = request;
        const type = headers["content-type"];
        this.deliveries.push({ path, type, headers, body: Buffer.concat(chunks) });
        response.writeHead(200, { "content-type": type ?? "" }).end();
      });
    });
  }

  static async listen(host = "127.0.0.1"): Promise<OtlpCollector> {
    const collector = new OtlpCollector();
    await new Promise<void>((resolve) => void collector.#server.listen(0, host, resolve));
    return collector;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${String(this.port)}`;
  }

  /** The newest at a path. */
  at(path: string): OtlpDelivery | undefined {
    return this.deliveries.findLast((delivery) => delivery.path === path);
  }

  spans(): readonly OtlpSpan[] {
    return this.#items("/v1/traces", ["resourceSpans", "scopeSpans", "spans"], (span, item) => ({
      ...item,
      traceId: String(span["traceId"]),
      spanId: String(span["spanId"]),
      parentSpanId: optional(span["parentSpanId"]),
      name: String(span["name"]),
    }));
  }

  logRecords(): readonly OtlpLogRecord[] {
    return this.#items("/v1/logs", ["resourceLogs", "scopeLogs", "logRecords"], (record, item) => ({
      ...item,
      body: (record["body"] as { readonly stringValue?: string } | undefined)?.stringValue ?? "",
      traceId: optional(record["traceId"]),
      spanId: optional(record["spanId"]),
      severity: String(record["severityText"]),
    }));
  }

  /** Names of what was measured, by service. */
  metricNames(service: string): ReadonlySet<string> {
    const all = this.#items("/v1/metrics", ["resourceMetrics", "scopeMetrics", "metrics"], (metric, item) => ({
      ...item,
      name: String(metric["name"]),
    }));
    return new Set(all.filter((metric) => metric.service === service).map(({ name }) => name));
  }

  #items<Item>(
    path: string,
    [resources, scopes, items]: readonly [string, string, string],
    read: (json: Json, item: OtlpItem) => Item,
  ): readonly Item[] {
    const bodies = this.deliveries
      .filter((one) => one.path === path)
      .map(({ body }) => JSON.parse(body.toString()) as Json);
    return bodies
      .flatMap((body) => list(body[resources]))
      .flatMap((resource) => {
        const service = String(attributesOf((resource["resource"] ?? {}) as Json)["service.name"]);
        return list(resource[scopes])
          .flatMap((scope) => list(scope[items]))
          .map((json) => read(json, { service, attributes: attributesOf(json) }));
      });
  }

  [Symbol.dispose](): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

type Json = Readonly<Record<string, unknown>>;
const list = (value: unknown): readonly Json[] => (Array.isArray(value) ? (value as Json[]) : []);
const optional = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined;

function attributesOf(json: Json): OtlpItem["attributes"] {
  const attributes = (json["attributes"] ?? []) as readonly OtlpAttribute[];
  return Object.fromEntries(
    attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue ?? value.boolValue]),
  );
}
