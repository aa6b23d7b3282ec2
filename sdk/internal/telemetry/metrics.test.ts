import parsePrometheus from "parse-prometheus-text-format";
import { expect, test } from "vitest";
import { Metrics } from "./metrics.ts";
import { prometheusText } from "./prometheus.ts";

const seconds = { name: "http.server.request.duration", description: "How long\\a\nrequest took.", unit: "s" };

async function parsed(metrics: Metrics) {
  const families = parsePrometheus(prometheusText(await metrics.collect()));
  return new Map(families.map((family) => [family.name, family]));
}

test("a histogram is read by a parser as it was recorded, buckets adding up", async () => {
  const metrics = new Metrics();
  const family = metrics.histogram({ ...seconds, labels: ["shallop.revision"] }, [0.1, 1]);
  for (const value of [0.05, 0.1, 0.5, 3]) family.of("default/a").record(value);
  const read = (await parsed(metrics)).get("http_server_request_duration_seconds");
  expect(read?.type).toBe("HISTOGRAM");
  expect(read?.metrics).toEqual([{ buckets: { "0.1": "2", "1": "3", "+Inf": "4" } }]);
  const text = prometheusText(await metrics.collect());
  expect(text).toContain('http_server_request_duration_seconds_sum{shallop_revision="default/a"} 3.65\n');
  expect(text).toContain('http_server_request_duration_seconds_count{shallop_revision="default/a"} 4\n');
});

test("values of labels cannot break out of their quotes", async () => {
  const metrics = new Metrics();
  const evil = 'a"} 1\nforged{x="\\';
  metrics
    .counter({ name: "shallop.requests", description: "", unit: "{request}", labels: ["path"] })
    .of(evil)
    .add(7);
  const read = await parsed(metrics);
  expect([...read.keys()]).toEqual(["shallop_requests_total"]);
  expect(read.get("shallop_requests_total")?.metrics).toEqual([{ labels: { path: evil }, value: "7" }]);
});

test("a series too many is counted with the others", async () => {
  const metrics = new Metrics();
  const family = metrics.counter({ ...{ name: "c", description: "", unit: "1" }, labels: ["a", "b"], seriesMax: 2 });
  for (let index = 0; index < 5; index++) family.of(index, "x").add();
  const [read] = await metrics.collect();
  expect(read?.points).toEqual([
    { labels: { a: 0, b: "x" }, value: 1 },
    { labels: { a: 1, b: "x" }, value: 1 },
    { labels: { a: "other", b: "other" }, value: 3 },
  ]);
  family.forget(({ a }) => a === 0);
  family.of(9, "x").add();
  expect((await metrics.collect())[0]?.points.map(({ labels }) => labels["a"])).toEqual([1, 9, "other"]);
});

test("what is known elsewhere is read when somebody asks, with its unit in its name", async () => {
  const metrics = new Metrics();
  let asked = 0;
  metrics.observe({ name: "process.memory.usage", description: "", unit: "By", kind: "upDown" }, () => {
    asked++;
    return [{ labels: {}, value: 12 }];
  });
  expect(asked).toBe(0);
  const read = await parsed(metrics);
  expect(read.get("process_memory_usage_bytes")).toMatchObject({ type: "GAUGE", metrics: [{ value: "12" }] });
  expect(asked).toBe(1);
});
