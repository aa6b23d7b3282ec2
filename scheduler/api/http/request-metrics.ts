import { type Buckets, type Counter, type Family, type Metrics } from "@shallop/sdk/internal/telemetry";
import type { Target } from "../machinery.ts";

// Kubernetes' own, shortened at its end.
const bounds = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 2, 4, 10, 30, 60];
const verbs: Readonly<Record<string, string>> = { POST: "POST", PUT: "PUT", PATCH: "PATCH", DELETE: "DELETE" };

/** Requests to the API, under the names that kube-apiserver has for them. */
export class RequestMetrics {
  readonly #requests: Family<Counter>;
  readonly #durations: Family<Buckets>;

  constructor(metrics: Metrics) {
    const of = ["verb", "group", "version", "resource", "subresource"];
    this.#requests = metrics.counter({
      name: "apiserver_request",
      description: "Requests to the API by verb, resource and status.",
      ...{ unit: "{request}", labels: [...of, "code"] },
    });
    this.#durations = metrics.histogram(
      {
        name: "apiserver_request_duration",
        description: "From a request to the head of its answer.",
        ...{ unit: "s", labels: of },
      },
      bounds,
    );
  }

  /** `target`: undefined for what is no resource. */
  answered(
    target: Target | undefined,
    { method, query }: { readonly method: string; readonly query: URLSearchParams },
    { status, seconds }: { readonly status: number; readonly seconds: number },
  ): void {
    const { group = "", version = "", plural = "" } = target?.kind.resource ?? {};
    const isWatch = ["true", "1"].includes(query.get("watch") ?? "");
    const read = target?.name !== undefined ? "GET" : isWatch ? "WATCH" : "LIST";
    const verb = verbs[method] ?? (target === undefined ? "GET" : read);
    const of = [verb, group, version, plural, target?.subresource ?? ""];
    this.#requests.of(...of, status).add();
    if (verb !== "WATCH") this.#durations.of(...of).record(seconds);
  }
}
