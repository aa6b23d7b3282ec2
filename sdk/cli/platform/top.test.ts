import { expect, test } from "vitest";
import { topRows, topTable } from "./top.ts";

/** An API that answers these paths. */
const api = (answers: Readonly<Record<string, unknown>>) => ({
  request: (_method: string, asked: string) =>
    asked in answers ? Promise.resolve(answers[asked]) : Promise.reject(new Error(`asked for ${asked}`)),
  text: () => {
    throw new Error("nothing is streamed");
  },
});

const usage = (cpu: string, memory: string) => ({ name: "c", usage: { cpu, memory } });

test("pods are summed over their containers, the busiest first", async () => {
  const items = [
    { metadata: { namespace: "default", name: "idle" }, containers: [usage("1500000n", "1Ki")] },
    { metadata: { namespace: "default", name: "busy" }, containers: [usage("250m", "1Mi"), usage("250m", "1Mi")] },
  ];
  const path = "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods";
  const rows = await topRows(api({ [path]: { items } }), "pods", "default");
  expect(
    topTable("pods", rows)
      .split("\n")
      .map((line) => line.split(/ {2,}/)),
  ).toEqual([
    ["NAMESPACE", "NAME", "CPU", "MEMORY"],
    ["default", "busy", "500m", "2.1 MB"],
    ["default", "idle", "2m", "1.0 kB"],
  ]);
});

test("what is not there is said, and not left to be guessed from a head of columns", () => {
  expect(topTable("functions", [])).toMatch(/^no function has pods or requests here now/);
  expect(topTable("pods", [])).toMatch(/^no pod runs here now/);
  expect(topTable("nodes", [])).toMatch(/^no node has said/);
});

test("nodes have no namespace, and functions their rates and what their pods use together", async () => {
  const nodes = { items: [{ metadata: { name: "n1" }, usage: { cpu: "2", memory: "1Gi" } }] };
  const rows = await topRows(api({ "/apis/metrics.k8s.io/v1beta1/nodes": nodes }), "nodes", "default");
  expect(rows).toEqual([{ namespace: "", name: "n1", cpu: 2, memoryBytes: 2 ** 30 }]);
  const rate = {
    ...{ namespace: "default", revision: "hello-00001", requestsPerSecond: 12.34, failuresPerSecond: 0 },
    ...{ concurrency: 0.5, waiting: 2, p50Ms: 1.2, p99Ms: 8 },
  };
  const pod = (revision: string | undefined, name: string) => ({
    metadata: {
      ...{ namespace: "default", name },
      ...(revision === undefined ? {} : { labels: { "serving.knative.dev/revision": revision } }),
    },
    containers: [usage("250m", "1Mi")],
  });
  const items = [pod("hello-00001", "a"), pod("hello-00001", "b"), pod("idle-00001", "c"), pod(undefined, "bare")];
  const answers: Record<string, unknown> = {
    "/shallop/v1/rates?namespace=default": { rates: [rate] },
    "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods": { items },
  };
  const functions = await topRows(api(answers), "functions", "default");
  const lines = topTable("functions", functions).split("\n");
  expect(lines[0]?.split(/ {2,}/).slice(-4)).toEqual(["WAITING", "PODS", "CPU", "MEMORY"]);
  expect(lines[1]).toMatch(/default +hello-00001 +12\.3 +0\.0 +1\.2 ms +8\.0 ms +0\.5 +2 +2 +500m +2\.1 MB$/);
  expect(lines[2]).toMatch(/default +idle-00001 +0\.0 .* +1 +250m +1\.0 MB$/);
  expect(lines.length).toBe(3);
});
