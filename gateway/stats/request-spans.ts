import type { Span, SpanKind } from "@shallop/sdk/internal/telemetry";
import type { RequestRecord } from "./request-record.ts";

type Trace = NonNullable<RequestRecord["trace"]>;

interface NewSpan {
  readonly parentSpanId: string | undefined;
  readonly name: string;
  readonly kind?: SpanKind;
  /** Monotonic. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly attributes?: Span["attributes"];
  readonly error?: string | undefined;
  readonly spanId?: string;
}

/**
 * A request as spans, by OpenTelemetry's conventions for HTTP: the gateway's, below it the time that it was held with
 * what the activation took, and one for each pod that it was given to, with what the pod says of its own time.
 */
export function requestSpans(record: RequestRecord, trace: Trace, newId: () => string): readonly Span[] {
  const spans: Span[] = [];
  const { startMs, startWallMs } = record.origin;
  const add = ({ fromMs, toMs, kind = "internal", attributes = {}, ...rest }: NewSpan): string => {
    const spanId = rest.spanId ?? newId();
    const { traceId, flags } = trace;
    const at = (ms: number): number => startWallMs + ms - startMs;
    spans.push({
      ...rest,
      traceId,
      spanId,
      flags,
      kind,
      attributes,
      startMs: at(fromMs),
      endMs: at(Math.max(fromMs, toMs)),
    });
    return spanId;
  };
  add({
    ...{ parentSpanId: trace.parentSpanId, spanId: trace.spanId, name: record.origin.method, kind: "server" },
    ...{ fromMs: startMs, toMs: record.endMs, attributes: serverAttributes(record), error: errorOf(record) },
  });
  addHold(record, trace.spanId, add);
  addPods(record, trace, add);
  return spans;
}

function addHold({ story }: RequestRecord, parentSpanId: string, add: (span: NewSpan) => string): void {
  if (story?.grantedMs === undefined || !story.isHeld) return;
  const hold = add({ parentSpanId, name: "hold", fromMs: story.arrivedMs, toMs: story.grantedMs });
  const { activation } = story;
  if (activation === undefined) return;
  const { atMs, activateMs, prepareMs, startMs } = activation;
  const fromMs = atMs - activateMs;
  const activate = add({ parentSpanId: hold, name: "activate", fromMs, toMs: atMs });
  // The node tells how long, not when: what is left is the way there and back, half before and half after.
  const beginMs = fromMs + Math.max(0, activateMs - prepareMs - startMs) / 2;
  if (prepareMs > 0) {
    add({ parentSpanId: activate, name: "prepare", fromMs: beginMs, toMs: beginMs + prepareMs });
  }
  add({ parentSpanId: activate, name: "start", fromMs: beginMs + prepareMs, toMs: beginMs + prepareMs + startMs });
}

function addPods(record: RequestRecord, trace: Trace, add: (span: NewSpan) => string): void {
  const { story, code, origin } = record;
  if (story === undefined) return;
  const parentSpanId = trace.spanId;
  const base = { parentSpanId, name: origin.method, kind: "client" } as const;
  for (const { pod, node, fromMs, toMs, outcome } of story.attempts) {
    const attributes = { "k8s.pod.name": pod, "k8s.node.name": node, "error.type": outcome };
    const times = { fromMs: story.arrivedMs + fromMs, toMs: story.arrivedMs + toMs };
    add({ ...base, ...times, attributes, error: outcome });
  }
  const { sentMs, pod, answeredMs, podPhasesMs = {} } = story;
  // An attempt that ended with a fault is among those above.
  if (sentMs === undefined || pod === undefined || code !== undefined) return;
  const attributes = {
    ...{ "k8s.pod.name": pod.name, "k8s.node.name": pod.node, "http.request.method": origin.method },
    "http.response.status_code": record.status,
  };
  const { podSpanId } = trace;
  const client = add({ ...base, spanId: podSpanId, fromMs: sentMs, toMs: record.endMs, attributes });
  const phases = Object.entries(podPhasesMs);
  const inPodMs = phases.reduce((sum, [, ms]) => sum + ms, 0);
  let atMs = sentMs + Math.max(0, answeredMs - sentMs - inPodMs) / 2;
  for (const [name, ms] of phases) {
    add({ parentSpanId: client, name, fromMs: atMs, toMs: atMs + ms });
    atMs += ms;
  }
}

function serverAttributes(record: RequestRecord): Span["attributes"] {
  const { origin, revision, code, target, authority, status } = record;
  // What follows it may be a secret.
  const [path = ""] = target.split("?", 1);
  return {
    "http.request.method": origin.method,
    "url.scheme": origin.scheme,
    "url.path": path.slice(0, textMax),
    "server.address": authority.slice(0, textMax),
    "client.address": record.client,
    "network.protocol.version": origin.protocol,
    "shallop.request.id": origin.id,
    ...(status === 0 ? {} : { "http.response.status_code": status }),
    ...(revision === undefined ? {} : { "k8s.namespace.name": revision.namespace, "kn.revision.name": revision.name }),
    ...(code === undefined ? {} : { "error.type": code }),
  };
}

/** OpenTelemetry, HTTP spans, "Status": a server has failed with 5xx, or without an answer; with 4xx the client has. */
function errorOf({ code, status }: RequestRecord): string | undefined {
  if (status !== 0 && status < 500) return undefined;
  return code ?? String(status);
}

const textMax = 500;
