import { expect, onTestFinished, test } from "vitest";
import { Metrics } from "@shallop/sdk/internal/telemetry";
import { call, failing, start } from "../client.fake.ts";
import { saying } from "../gateway.fake.ts";
import { StatusServer } from "./status-server.ts";

test("probes and people are told", async () => {
  const cluster = await start();
  await cluster.wireService("hello", saying("hi"));
  await call(cluster, "hello");
  const server = new StatusServer(() => cluster.gateway.status(), new Metrics());
  onTestFinished(() => server.close());
  const status = { port: await server.listen(0) };
  expect((await call(status, "", { path: "/healthz" })).status).toBe(200);
  expect((await call(status, "", { path: "/readyz" })).status).toBe(200);
  expect((await call(status, "", { path: "/" })).status).toBe(404);
  expect((await call(status, "", { path: "/status", method: "POST" })).status).toBe(405);
  expect(JSON.parse((await call(status, "", { path: "/status" })).body)).toMatchObject({
    complete: true,
    hosts: 1,
    open: 0,
    waiting: 0,
    revisions: [{ namespace: "default", revision: "hello-00001", concurrency: 0, requests: 1, waiting: 0, pods: 1 }],
  });
  cluster.gateway.cluster.complete = false;
  expect((await call(status, "", { path: "/readyz" })).status).toBe(503);
});

test("Prometheus is told of requests, by revision, method and what became of them", async () => {
  const metrics = new Metrics();
  const cluster = await start({}, { metrics });
  await cluster.wireService("hello", saying("hi"));
  await cluster.wireService("broken", failing("GUEST_FAILED"));
  await call(cluster, "hello");
  await call(cluster, "hello", { method: "POST", body: "12345" });
  await call(cluster, "hello", { method: "BREW" }).catch(() => undefined);
  await call(cluster, "broken");
  await call(cluster, "nobody");
  const server = new StatusServer(() => cluster.gateway.status(), metrics);
  onTestFinished(() => server.close());
  const status = { port: await server.listen(0) };
  const scrape = () => call(status, "", { path: "/metrics" });
  const of = (more: string) => `k8s_namespace_name="default",kn_revision_name="${more}`;
  const count = "http_server_request_duration_seconds_count";
  let text = "";
  // An answer is over when the client has it, and counted a moment later. One question at a time: more at once are not taken.
  do text = (await scrape()).body;
  while (!text.includes('error_type="HOST_UNKNOWN"'));
  const rest = 'url_scheme="http",http_response_status_code=';
  expect(text).toContain(`${count}{${of(`hello-00001",http_request_method="GET",${rest}"200",error_type=""} 1`)}`);
  expect(text).toContain(`${count}{${of(`hello-00001",http_request_method="POST",${rest}"200",error_type=""} 1`)}`);
  expect(text).toContain(
    `${count}{${of(`broken-00001",http_request_method="GET",${rest}"502",error_type="GUEST_FAILED"} 1`)}`,
  );
  expect(text).toContain('shallop_gateway_faults_total{error_type="HOST_UNKNOWN"} 1');
  expect(text).toContain("shallop_gateway_received_bytes_total 5");
  expect(text).toContain(`http_server_active_requests{${of('hello-00001"} 0')}`);
  expect(text).toContain(`shallop_gateway_pods_usable{${of('hello-00001"} 1')}`);
  expect((await scrape()).headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8");
});
