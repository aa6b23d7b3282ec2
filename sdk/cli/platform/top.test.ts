import { expect, test } from "vitest";
import { topRows, topTable } from "./top.ts";

/** An API that answers one path. */
const api = (path: string, answer: unknown) => ({
  request: (_method: string, asked: string) =>
    asked === path ? Promise.resolve(answer) : Promise.reject(new Error(`asked for ${asked}`)),
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
  const rows = await topRows(api(path, { items }), "pods", "default");
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

test("nodes have no namespace, and functions their rates", async () => {
  const nodes = { items: [{ metadata: { name: "n1" }, usage: { cpu: "2", memory: "1Gi" } }] };
  const rows = await topRows(api("/apis/metrics.k8s.io/v1beta1/nodes", nodes), "nodes", "default");
  expect(rows).toEqual([{ namespace: "", name: "n1", cpu: 2, memoryBytes: 2 ** 30 }]);
  const rate = {
    ...{ namespace: "default", revision: "hello-00001", requestsPerSecond: 12.34, failuresPerSecond: 0 },
    ...{ concurrency: 0.5, waiting: 2, p50Ms: 1.2, p99Ms: 8 },
  };
  const functions = await topRows(
    api("/shallop/v1/rates?namespace=default", { rates: [rate] }),
    "functions",
    "default",
  );
  expect(topTable("functions", functions)).toMatch(/default +hello-00001 +12\.3 +0\.0 +1\.2 ms +8\.0 ms +0\.5 +2$/);
});
