import { expect, onTestFinished, test } from "vitest";
import { call, start } from "../client.fake.ts";
import { saying } from "../gateway.fake.ts";
import { StatusServer } from "./status-server.ts";

test("probes and people are told", async () => {
  const cluster = await start();
  await cluster.wireService("hello", saying("hi"));
  await call(cluster, "hello");
  const server = new StatusServer(() => cluster.gateway.status());
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
