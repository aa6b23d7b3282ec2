import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { silentLog } from "@shallop/sdk/internal";
import type { LogRecord } from "@shallop/sdk/internal/telemetry";
import { FakeClock } from "@shallop/sdk/internal/testing";
import { expect, test } from "vitest";
import { LogStore } from "../pod/log-store.ts";
import { logBounds } from "../pod/pod-log.ts";
import { exportLogsTo } from "./log-export.ts";

test("what a pod says is told with the names of whose it is, and nothing once nobody knows the pod", async () => {
  const directory = await mkdtemp(path.join(tmpdir(), "shallop-log-"));
  const store = new LogStore(directory, { bounds: logBounds, clock: new FakeClock(), log: silentLog });
  await store.load();
  const records: LogRecord[] = [];
  store.exportTo(exportLogsTo((record) => records.push(record)));
  const subject = { namespace: "default", pod: "a", uid: "uid-a", openedWallMs: 0 };
  store.open({ ...subject, container: "web", service: "hello" });
  store.open({ ...subject, container: "side" });
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const trace = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", flags: 1 };
  store.append("uid-a", { wallMs: 7, stream: "stderr", text: "oh", partial: false, traceparent });
  store.append("uid-a", { wallMs: 8, stream: "stdout", text: "ah", partial: false, container: "side" });
  store.append("uid-b", { wallMs: 9, stream: "stdout", text: "who?", partial: false });
  const attributes = { "k8s.namespace.name": "default", "k8s.pod.name": "a", "k8s.pod.uid": "uid-a" };
  expect(records).toEqual([
    {
      ...{ atMs: 7, level: "info", body: "oh", trace },
      attributes: { ...attributes, "k8s.container.name": "web", "log.iostream": "stderr", "faas.name": "hello" },
    },
    {
      ...{ atMs: 8, level: "info", body: "ah" },
      attributes: { ...attributes, "k8s.container.name": "side", "log.iostream": "stdout" },
    },
  ]);
  await store.close();
  await rm(directory, { recursive: true, force: true });
});
