import { afterEach, expect, test } from "vitest";
import { systemClock as clock } from "../clock.ts";
import { jsonLog } from "../log.ts";
import { OtlpCollector } from "../testing/otlp-collector.ts";
import { startExport } from "./export.ts";
import { Metrics } from "./metrics.ts";
import { readTelemetrySettings } from "./settings.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const names = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_RESOURCE_ATTRIBUTES"];

afterEach(() => {
  for (const name of names) delete process.env[name];
});

/** Sends one of each. */
async function send(url: string, protocol: string): Promise<void> {
  const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_EXPORTER_OTLP_PROTOCOL: protocol };
  process.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = url;
  process.env["OTEL_EXPORTER_OTLP_HEADERS"] = "x-key=s3cret";
  process.env["OTEL_RESOURCE_ATTRIBUTES"] = "deployment.environment.name=test";
  const log = jsonLog("gateway", () => undefined);
  log.error("it broke", Object.assign(new Error("why"), { code: "IN_USE" }), { port: 80 });
  const metrics = new Metrics();
  metrics
    .counter({ name: "shallop.things", description: "", unit: "{thing}", labels: ["a"] })
    .of("b")
    .add(5);
  metrics.histogram({ name: "shallop.time", description: "", unit: "s", labels: [] }, [1, 2]).of().record(1.5);
  const exported = await startExport({
    settings: readTelemetrySettings(environment),
    ...{ clock, log, service: "shallop-gateway", instance: "i-1", metrics },
  });
  const context = { traceId, spanId: "b7ad6b7169203331", flags: 1 };
  exported.span?.({
    ...context,
    ...{ parentSpanId: "1111111111111111", name: "GET", kind: "server", startMs: 1_500.25, endMs: 1_501 },
    ...{ attributes: { "http.response.status_code": 200 }, error: "it broke" },
  });
  exported.log?.({ atMs: 2_000, level: "warn", body: "hello", attributes: { "k8s.pod.name": "p" }, trace: context });
  await exported.close();
}

test("traces, metrics and logs arrive as OTLP in JSON", async () => {
  using collecting = await OtlpCollector.listen();
  await send(collecting.url, "http/json");
  const body = (path: string) => JSON.parse(collecting.at(path)?.body.toString() ?? "{}");
  const {
    resourceSpans: [traces],
  } = body("/v1/traces");
  expect(collecting.at("/v1/traces")).toMatchObject({ type: "application/json", headers: { "x-key": "s3cret" } });
  expect(traces.resource.attributes).toEqual(
    expect.arrayContaining([
      { key: "service.name", value: { stringValue: "shallop-gateway" } },
      { key: "service.instance.id", value: { stringValue: "i-1" } },
      { key: "deployment.environment.name", value: { stringValue: "test" } },
    ]),
  );
  expect(traces.scopeSpans[0].spans[0]).toMatchObject({
    traceId,
    spanId: "b7ad6b7169203331",
    parentSpanId: "1111111111111111",
    name: "GET",
    kind: 2,
    startTimeUnixNano: "1500250000",
    endTimeUnixNano: "1501000000",
    status: { code: 2, message: "it broke" },
    attributes: [{ key: "http.response.status_code", value: { intValue: 200 } }],
  });
  const metrics = body("/v1/metrics").resourceMetrics[0].scopeMetrics[0].metrics;
  expect(metrics[0]).toMatchObject({
    name: "shallop.things",
    sum: { isMonotonic: true, aggregationTemporality: 2, dataPoints: [{ asDouble: 5 }] },
  });
  expect(metrics[1].histogram.dataPoints[0]).toMatchObject({
    count: 1,
    sum: 1.5,
    explicitBounds: [1, 2],
    bucketCounts: [0, 1, 0],
  });
  // What the process itself has said before there was an export comes first.
  expect(collecting.logRecords()[0]).toMatchObject({
    ...{ service: "shallop-gateway", severity: "ERROR", body: "it broke", traceId: undefined },
    attributes: { "exception.message": "why", "error.type": "IN_USE", port: 80 },
  });
  expect(body("/v1/logs").resourceLogs[0].scopeLogs[0].logRecords[1]).toMatchObject({
    ...{
      timeUnixNano: "2000000000",
      severityNumber: 13,
      severityText: "WARN",
      body: { stringValue: "hello" },
      traceId,
    },
  });
});

test("and in protobuf", async () => {
  using collecting = await OtlpCollector.listen();
  await send(collecting.url, "http/protobuf");
  const { type, body = Buffer.alloc(0) } = collecting.at("/v1/traces") ?? {};
  expect(type).toBe("application/x-protobuf");
  // ExportTraceServiceRequest.resource_spans[0].scope_spans[0].spans[0]: trace_id is field 1, name field 5.
  const span = field(field(field(body, 1), 2), 2);
  expect(field(span, 1).toString("hex")).toBe(traceId);
  expect(field(span, 5).toString()).toBe("GET");
  expect(collecting.deliveries.map(({ path }) => path).sort()).toEqual(["/v1/logs", "/v1/metrics", "/v1/traces"]);
});

test("nothing is loaded, and nothing sent, when nothing is asked for", async () => {
  const exported = await startExport({
    settings: readTelemetrySettings({}),
    ...{ clock, log: jsonLog("s", () => undefined), service: "s", instance: "i", metrics: new Metrics() },
  });
  expect(exported).toMatchObject({ span: undefined, log: undefined });
});

/** The first field with this number and a length (protobuf wire type 2). */
function field(message: Buffer, wanted: number): Buffer {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[at++] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const tag = varint();
    const type = tag & 7;
    if (type === 0) varint();
    else if (type === 1) at += 8;
    else if (type === 5) at += 4;
    else {
      const length = varint();
      at += length;
      if (tag >>> 3 === wanted) return message.subarray(at - length, at);
    }
  }
  throw new Error(`no field ${wanted}`);
}
