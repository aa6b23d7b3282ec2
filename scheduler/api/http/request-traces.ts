import { ApiFault, isJsonObject, type Json, listAt, numberAt, textAt } from "@shallop/sdk/api";
import type { Clock } from "@shallop/sdk/internal";
import type { Span, SpanKind } from "@shallop/sdk/internal/telemetry";
import type { RequestTrace } from "@shallop/sdk/wire";
import { badRequest } from "../faults.ts";
import { gatewayUserName, mastersGroup, type User } from "../user.ts";
import { readObject } from "./request-body.ts";

/** A trace has some ten spans of 300 bytes: 6 MiB. */
const tracesMax = 2_000;
/** In one report; spans of a trace, attributes of a span, and characters of a text. */
const reportMax = 1_000;
const spansMax = 100;
const attributesMax = 30;
const textMax = 500;

/** Traces of requests: gateways tell, people ask. In memory, as long as they are fresh. */
export class RequestTraces {
  readonly #traceByRequest = new Map<string, RequestTrace>();

  /** POST /shallop/v1/traces. @throws ApiFault Forbidden, BadRequest */
  async receive(request: Request, user: User, clock: Clock): Promise<Response> {
    if (user.name !== gatewayUserName && !user.groups.includes(mastersGroup)) {
      throw new ApiFault("Forbidden", `forbidden: User "${user.name}" cannot post path "/shallop/v1/traces"`);
    }
    const { value } = await readObject(request, clock);
    const traces = listAt(value, "traces");
    if (traces.length > reportMax) throw badRequest(`traces: at most ${reportMax}`);
    for (const trace of traces.map(parseTrace)) this.#keep(trace);
    return new Response(null, { status: 204 });
  }

  /** By the id of a request or of a trace; several requests may be of one trace. @throws ApiFault NotFound */
  get(id: string): readonly RequestTrace[] {
    const byRequest = this.#traceByRequest.get(id);
    const plain = id.replaceAll("-", "").toLowerCase();
    const found = byRequest === undefined ? this.newest(({ traceId }) => traceId === plain, tracesMax) : [byRequest];
    if (found.length > 0) return found.toReversed();
    const how = "shallop up --gateway trace=1, or OTEL_TRACES_SAMPLER, says which requests are traced";
    throw new ApiFault("NotFound", `nothing is known of trace ${JSON.stringify(id.slice(0, textMax))}: ${how}`);
  }

  /** Those that `matches` is true for, the newest first. */
  newest(matches: (trace: RequestTrace) => boolean, limit: number): readonly RequestTrace[] {
    return [...this.#traceByRequest.values()].toReversed().filter(matches).slice(0, limit);
  }

  #keep(trace: RequestTrace): void {
    this.#traceByRequest.delete(trace.requestId);
    this.#traceByRequest.set(trace.requestId, trace);
    for (const oldest of this.#traceByRequest.keys()) {
      if (this.#traceByRequest.size <= tracesMax) break;
      this.#traceByRequest.delete(oldest);
    }
  }
}

const kinds: readonly SpanKind[] = ["internal", "server", "client"];
const text = (from: Json, field: string): string => (textAt(from, field) ?? "").slice(0, textMax);

/** @throws ApiFault BadRequest */
function parseTrace(trace: Json, index: number): RequestTrace {
  if (!isJsonObject(trace)) throw badRequest(`traces[${index}]: must be an object`);
  const [traceId, requestId] = [text(trace, "traceId"), text(trace, "requestId")];
  if (!/^[0-9a-f]{32}$/.test(traceId) || requestId === "") throw badRequest(`traces[${index}]: its ids are missing`);
  const spans = listAt(trace, "spans")
    .slice(0, spansMax)
    .map((span) => parseSpan(span, traceId));
  return { traceId, requestId, namespace: text(trace, "namespace"), revision: text(trace, "revision"), spans };
}

/** @throws ApiFault BadRequest */
function parseSpan(span: Json, traceId: string): Span {
  if (!isJsonObject(span)) throw badRequest("a span must be an object");
  const [startMs, endMs] = [numberAt(span, "startMs"), numberAt(span, "endMs")];
  if (startMs === undefined || endMs === undefined) throw badRequest("a span has a startMs and an endMs");
  const attributes = isJsonObject(span["attributes"]) ? Object.entries(span["attributes"]) : [];
  const error = textAt(span, "error");
  return {
    traceId,
    spanId: text(span, "spanId"),
    ...(textAt(span, "parentSpanId") === undefined ? {} : { parentSpanId: text(span, "parentSpanId") }),
    flags: numberAt(span, "flags") ?? 0,
    name: text(span, "name"),
    kind: kinds.find((kind) => kind === span["kind"]) ?? "internal",
    startMs,
    endMs,
    attributes: Object.fromEntries(
      attributes.slice(0, attributesMax).map(([name, value]) => [name.slice(0, textMax), plain(value ?? "")]),
    ),
    ...(error === undefined ? {} : { error: error.slice(0, textMax) }),
  };
}

const plain = (value: Json): string | number | boolean =>
  typeof value === "number" || typeof value === "boolean"
    ? value
    : (typeof value === "string" ? value : "").slice(0, textMax);
