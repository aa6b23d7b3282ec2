import { seededRandom } from "@shallop/sdk/internal/testing";
import { samplerOf, type Span } from "@shallop/sdk/internal/telemetry";
import type { RequestTrace } from "@shallop/sdk/wire";
import { expect, test } from "vitest";
import { call, failing, start, until } from "../client.fake.ts";
import { activation, reflecting } from "../gateway.fake.ts";
import { parseTraceMode, Tracer } from "./tracer.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const parent = `00-${traceId}-b7ad6b7169203331`;

async function traced(ratio: number) {
  const traces: RequestTrace[] = [];
  const spans: Span[] = [];
  const tracer = new Tracer({
    sampler: samplerOf({ ratio, parentBased: true }),
    random: seededRandom(7),
    span: (span) => spans.push(span),
    trace: (trace) => traces.push(trace),
  });
  const cluster = await start({}, { tracer });
  return { cluster, traces, spans };
}

/** What the guest has seen of the context. */
function contextIn(body: string): { traceparent: string[]; tracestate: string[] } {
  const { headers } = JSON.parse(body) as { headers: string[] };
  const of = (name: string) => headers.filter((_value, at) => at % 2 === 1 && headers[at - 1] === name);
  return { traceparent: of("traceparent"), tracestate: of("tracestate") };
}

test("a trace goes on: the guest is below the gateway's span of its pod, and that below the client's", async () => {
  const { cluster, traces, spans } = await traced(0);
  await cluster.wireService("hello", reflecting);
  const headers = { traceparent: `${parent}-01`, tracestate: "vendor=1" };
  const { body, headers: answered } = await call(cluster, "hello", { path: "/a?secret=1", headers });
  await until(() => traces.length > 0);
  const [server, client] = traces[0]!.spans;
  expect(contextIn(body)).toEqual({
    traceparent: [`00-${traceId}-${client!.spanId}-01`],
    tracestate: ["vendor=1"],
  });
  expect(traces[0]).toMatchObject({ traceId, requestId: answered["x-request-id"], revision: "hello-00001" });
  expect(server).toMatchObject({ traceId, parentSpanId: "b7ad6b7169203331", kind: "server", name: "GET", flags: 1 });
  expect(server!.attributes).toMatchObject({ "url.path": "/a", "http.response.status_code": 200 });
  expect(server!.error).toBeUndefined();
  expect(client).toMatchObject({ parentSpanId: server!.spanId, kind: "client" });
  expect(client!.attributes["k8s.pod.name"]).toBe("hello-00001-a");
  expect(server!.endMs).toBeGreaterThanOrEqual(client!.endMs);
  expect(spans).toEqual(traces[0]!.spans);
});

test.each([
  ["what is no traceparent", { traceparent: "00-xyz", tracestate: "a=1" }],
  ["a forbidden version", { traceparent: `ff${parent.slice(2)}-01`, tracestate: "a=1" }],
  ["none", {}],
])("with %s a trace begins, with the request's id", async (_name, headers) => {
  const { cluster, traces } = await traced(1);
  await cluster.wireService("hello", reflecting);
  const { body, headers: answered } = await call(cluster, "hello", { headers });
  await until(() => traces.length > 0);
  const id = String(answered["x-request-id"]).replaceAll("-", "");
  const { traceparent, tracestate } = contextIn(body);
  expect(traceparent).toEqual([`00-${id}-${traces[0]!.spans[1]!.spanId}-03`]);
  expect(tracestate).toEqual([]);
  expect(traces[0]!.spans[0]!.parentSpanId).toBeUndefined();
});

test("one that is not sampled goes on as it came, and nothing is kept", async () => {
  const { cluster, traces, spans } = await traced(1);
  await cluster.wireService("hello", reflecting);
  const headers = { traceparent: `${parent}-00`, tracestate: "a=1" };
  const { body } = await call(cluster, "hello", { headers });
  expect(contextIn(body)).toEqual({ traceparent: [`${parent}-00`], tracestate: ["a=1"] });
  expect([traces, spans]).toEqual([[], []]);
});

test("a cold start and a failure are seen in it", async () => {
  const { cluster, traces } = await traced(1);
  cluster.activate = async (_node, revision) => {
    const endpoint = await cluster.wirePod(failing("GUEST_FAILED"));
    return activation(`${revision}-a`, endpoint.endpoint);
  };
  cluster.service("cold");
  expect((await call(cluster, "cold")).status).toBe(502);
  await until(() => traces.length > 0);
  const { spans } = traces[0]!;
  expect(spans.map(({ name }) => name)).toEqual(["GET", "hold", "activate", "start", "GET"]);
  const [server, hold, activate, begin, pod] = spans;
  expect([hold!.parentSpanId, activate!.parentSpanId, begin!.parentSpanId]).toEqual([
    server!.spanId,
    hold!.spanId,
    activate!.spanId,
  ]);
  expect(server).toMatchObject({ error: "GUEST_FAILED" });
  expect(pod).toMatchObject({ kind: "client", error: "GUEST_FAILED" });
  expect(begin!.endMs - begin!.startMs).toBeCloseTo(5, 1);
});

test("which are traced is a word or a share", () => {
  const read = ["off", "parent", "0", "0.25", "1", "1.0"].map(parseTraceMode);
  expect(read).toEqual(["off", "parent", 0, 0.25, 1, 1]);
  for (const text of ["", "2", "-1", "1e-3", "1.1", ".5", "yes"]) expect(parseTraceMode(text)).toBeUndefined();
});
