import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { OtlpCollector } from "../../sdk/internal/testing/index.ts";
import { behavioursScript } from "../support/behaviours.ts";
import { JoinedNode, readyOf } from "../support/joined-node.ts";
import { needKubectl, type Kubectl } from "../support/kubectl.ts";
import { eventually, Platform } from "../support/platform.ts";
import { callSteadily } from "../support/steady-caller.ts";
import { Workshop } from "../support/workshop.ts";

// More than one node: beside the first one on this machine, and, as root, one in a network namespace of its own, which is
// to the gateway what another machine is. Placement uses all; the loss of any is survived.

const root = process.getuid?.() === 0;
if (!root) console.log("this is not root: a node in a network namespace of its own is not tested");
/** A link of its own for each run, so that two runs do not meet. */
const key = process.pid % 250;
const namespace = `shallop-test-${key}`;
const link = `shtest${key}`;
const outer = `10.231.${key}.1`;
const inner = `10.231.${key}.2`;
/** In there only: an address of nobody whom this network knows, which guests may reach. */
const world = `11.231.${key}.1`;

let platform: Platform;
let workshop: Workshop;
let kubectl: Kubectl;
let nodeB: JoinedNode;
let nodeC: JoinedNode | undefined;
let nodeD: JoinedNode | undefined;
let collector: OtlpCollector;
let worldly: ChildProcess | undefined;

/** Telemetry for a collector, at once, of requests whose caller wants them traced. */
const telemetry = (host: string) => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: `http://${host}:${collector.port}`,
  OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
  OTEL_TRACES_SAMPLER: "parentbased_always_off",
  OTEL_METRIC_EXPORT_INTERVAL: "1000",
  OTEL_BSP_SCHEDULE_DELAY: "100",
  OTEL_BLRP_SCHEDULE_DELAY: "100",
});

// Answers with what it was asked with.
const worldScript = `
  require("node:http").createServer((request, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(request.headers));
  }).listen(8080, process.argv[1], () => console.log("listens"));
`;

const ip = (...args: readonly string[]): void => void execFileSync("ip", [...args], { stdio: "pipe" });

function makeNetwork(): void {
  ip("netns", "add", namespace);
  ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", namespace);
  ip("address", "add", `${outer}/24`, "dev", link);
  ip("link", "set", link, "up");
  ip("-n", namespace, "address", "add", `${inner}/24`, "dev", "eth0");
  ip("-n", namespace, "link", "set", "eth0", "up");
  ip("-n", namespace, "link", "set", "lo", "up");
  ip("-n", namespace, "address", "add", `${world}/32`, "dev", "lo");
}

beforeAll(async () => {
  if (root) makeNetwork();
  collector = await OtlpCollector.listen("0.0.0.0");
  workshop = await Workshop.open();
  platform = await Platform.start({
    autoscaler: ["stable-window=6s", "scale-to-zero-grace-period=6s"],
    // Two lost writes are waited for, not three: nobody is here to be patient.
    args: ["node-monitor-grace-period=10s", "default-unreachable-toleration-seconds=2"].flatMap((flag) => [
      "--server",
      flag,
    ]),
    ...(root ? { host: "0.0.0.0", advertise: [outer] } : {}),
    environment: telemetry("127.0.0.1"),
  });
  kubectl = await needKubectl(platform.kubeconfig);
  nodeB = await JoinedNode.start(platform, { name: "node-b" });
  await workshop.publish(platform, "spread", { script: behavioursScript });
});
afterEach(async ({ task }) => {
  if (task.result?.state === "fail") console.log(await platform?.logs(), nodeB?.output, nodeC?.output, nodeD?.output);
});
afterAll(async () => {
  await kubectl?.[Symbol.asyncDispose]();
  await nodeD?.[Symbol.asyncDispose]();
  await nodeC?.[Symbol.asyncDispose]();
  await nodeB?.[Symbol.asyncDispose]();
  await platform?.[Symbol.asyncDispose]();
  await workshop?.[Symbol.asyncDispose]();
  worldly?.kill("SIGKILL");
  collector?.[Symbol.dispose]();
  if (root) ip("netns", "delete", namespace);
});

/** Nodes of a service's ready pods, in order. */
async function nodesOf(service: string): Promise<readonly string[]> {
  return (await platform.podsOf(service))
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .filter(({ status }) => status?.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True"))
    .map(({ spec }) => spec.nodeName ?? "-")
    .toSorted((a, b) => (a < b ? -1 : 1));
}

const eventuallyOn = (service: string, nodes: readonly string[]): Promise<unknown> =>
  eventually(
    `${service} has pods on ${nodes.join(" and ")}`,
    async () => ((await nodesOf(service)).join() === nodes.join() ? true : undefined),
    90_000,
  );

/** Every pod of a service answers: each tells its own revision, so the pods are told apart by where their log is. */
async function expectAllAnswer(service: string, requests = 40): Promise<void> {
  const answers = await Promise.all(
    Array.from({ length: requests }, () => platform.ask(`${service}.default`, "/wait?ms=20")),
  );
  expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
}

/** Deploys a service with two pods. Each of its homes gets one, whichever has the image prepared first. */
async function deploySpread(service: string, nodes: readonly string[]): Promise<void> {
  const scale = ["--min-scale", "2", "--max-scale", "2", "--concurrency", "5"];
  await platform.run("deploy", service, "--image", "spread:1", ...scale);
  await eventually(`${service} is prepared on ${nodes.join(" and ")}`, async () => {
    const [revision] = await platform.revisionsOf(service);
    const prepared = revision?.status?.preparedNodes?.map(({ node }) => node) ?? [];
    return nodes.every((node) => prepared.includes(node)) ? true : undefined;
  });
  // A revision is ready with its first pod; nothing moves a pod that is placed.
  await eventuallyOn(service, nodes);
}

/** Calls `service` while `happens`. No request may fail. */
async function expectNoneFails(service: string, happens: () => Promise<unknown>): Promise<void> {
  const caller = callSteadily(platform, `${service}.default`, { path: "/wait?ms=20", connections: 16 });
  await new Promise((resolve) => setTimeout(resolve, 500));
  await happens();
  await expectAllAnswer(service);
  const { requests, failed, said } = await caller.stop();
  expect(failed, said).toBe(0);
  expect(requests).toBeGreaterThan(25);
}

/** Has all pods of a service on `node`, the other nodes being homes still. */
async function gatherOn(service: string, node: string, others: readonly string[]): Promise<void> {
  for (const other of others) await kubectl(["cordon", other]);
  await kubectl(["delete", "pods", "-l", `serving.knative.dev/service=${service}`, "--wait=true"]);
  await eventuallyOn(service, [node, node]);
  for (const other of others) await kubectl(["uncordon", other]);
}

test("placement uses both nodes, and the gateway reaches pods on both", async () => {
  await deploySpread("spread", ["node-a", "node-b"]);
  await expectAllAnswer("spread");
  const explained = await platform.run("explain", "spread");
  expect(explained).toMatch(/placed spread-00001-\w+ on node-a: /);
  expect(explained).toMatch(/placed spread-00001-\w+ on node-b: /);
});

test("nodes that die, one with every pod of a service, cost no request that may be repeated, and their pods come up on another", async () => {
  nodeD = await JoinedNode.start(platform, { name: "node-d" });
  await kubectl(["cordon", "node-b"]);
  await deploySpread("lone", ["node-a", "node-d"]);
  await gatherOn("lone", "node-d", ["node-a"]);
  const [some, all] = [nodeB, nodeD];
  // Each has its own caller; the wait until the API gives the nodes up is the same.
  await Promise.all([
    expectNoneFails("spread", async () => {
      await some.lose();
      await eventuallyOn("spread", ["node-a", "node-a"]);
    }),
    expectNoneFails("lone", async () => {
      await all.lose();
      await eventuallyOn("lone", ["node-a", "node-a"]);
    }),
  ]);
  // The gateway has asked for pods elsewhere before the API gives the node up.
  await expect.poll(() => readyOf(platform, "node-b")).not.toBe("True");
}, 300_000);

test.runIf(root)("a node behind another network joins, and its pods are reached through its agent", async () => {
  nodeC = await JoinedNode.start(platform, {
    name: "node-c",
    server: `https://${outer}:${platform.ports.api}`,
    host: inner,
    networkNamespace: namespace,
    environment: telemetry(outer),
  });
  await deploySpread("far", ["node-a", "node-c"]);
  await expectAllAnswer("far");
  // A log that is on the other machine comes through its agent, too.
  for (let round = 0; round < 6; round++) await platform.ask("far.default", "/log");
  await eventually("the logs of both nodes are there", async () =>
    ((await platform.run("logs", "far")).match(/said on stdout/g) ?? []).length >= 6 ? true : undefined,
  );
});

test.runIf(root)("a large body goes through the tunnel whole", async () => {
  const body = "0123456789abcdef".repeat(64 * 1024);
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => platform.ask("far.default", "/length", { method: "POST", body })),
  );
  expect(answers.map((answer) => answer.body)).toEqual(Array.from({ length: 8 }, () => String(body.length)));
});

test.runIf(root)(
  "a trace goes from the gateway through a guest to what it calls, and all that is told of it meets",
  async () => {
    await gatherOn("far", "node-c", ["node-a"]);
    worldly = spawn("ip", ["netns", "exec", namespace, process.execPath, "-e", worldScript, world]);
    if (worldly.stdout !== null) await once(worldly.stdout, "data");
    const traceId = "0af7651916cd43dd8448eb211c80319c";
    const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-01`, tracestate: "a=1" };
    const answer = await platform.ask("far.default", `/call?url=http://${world}:8080/`, { headers });
    expect(answer.status, answer.body).toBe(200);
    const called = JSON.parse(answer.body) as { readonly traceparent: string; readonly tracestate: string };
    expect(called.tracestate).toBe("a=1");
    const [, ofTrace, podSpan] = called.traceparent.split("-");
    expect(ofTrace).toBe(traceId);
    const line = await eventually("the guest's line has reached the collector", async () =>
      collector.logRecords().find(({ body, traceId: of }) => body === "calls somebody" && of === traceId),
    );
    expect(line).toMatchObject({ service: "shallop-node-agent", spanId: podSpan, attributes: { "faas.name": "far" } });
    const spans = await eventually("the gateway's spans have reached it", async () => {
      const all = collector.spans().filter((span) => span.traceId === traceId);
      return all.some(({ spanId }) => spanId === podSpan) ? all : undefined;
    });
    const server = spans.find(({ parentSpanId }) => parentSpanId === "b7ad6b7169203331");
    expect(server).toMatchObject({ service: "shallop-gateway", attributes: { "http.response.status_code": 200 } });
    expect(spans.every(({ service }) => service === "shallop-gateway")).toBe(true);
    const shown = (await platform.run("logs", "far", "-o", "json")).trimEnd().split("\n");
    const records = shown.map((text) => JSON.parse(text) as { readonly message: string; readonly trace_id?: string });
    expect(records).toContainEqual(
      expect.objectContaining({ message: "calls somebody", trace_id: traceId, span_id: podSpan, stream: "stdout" }),
    );
    const names = (service: string) => [...collector.metricNames(service)];
    await eventually("metrics of all processes have reached it", async () =>
      names("shallop-node-agent").includes("shallop.host.active_requests") &&
      names("shallop-control-plane").includes("kn.workqueue.process.duration") &&
      names("shallop-gateway").includes("http.server.request.duration")
        ? true
        : undefined,
    );
    expect(collector.logRecords().map(({ service, body }) => `${service}: ${body}`)).toEqual(
      expect.arrayContaining(["shallop-control-plane: serving", "shallop-gateway: serving"]),
    );
    expect(await platform.run("top", "functions", "--once")).toMatch(/default +far-00001 .* \d+m +\d/);
  },
);

test.runIf(root)(
  "a node that nobody can reach any more costs no request that may be repeated, and is one of them when it is back",
  async () => {
    // Every packet to it goes astray, and nobody is told.
    const astray = ["neigh", "replace", inner, "lladdr", "02:00:00:00:00:01", "dev", link, "nud", "permanent"];
    await expectNoneFails("far", async () => {
      ip(...astray);
      await eventuallyOn("far", ["node-a", "node-a"]);
    });
    ip("neigh", "del", inner, "dev", link);
    await eventually("node-c is back", async () => ((await readyOf(platform, "node-c")) === "True" ? true : undefined));
  },
  300_000,
);

test.runIf(root)(
  "the death of that node costs no request either",
  async () => {
    await gatherOn("far", "node-c", ["node-a"]);
    await expectNoneFails("far", async () => {
      await nodeC?.lose();
      // Long before the API gives the node up.
      await new Promise((resolve) => setTimeout(resolve, 3_000));
    });
  },
  300_000,
);

test("a wrong token does not join, and the sentence says why", async () => {
  const wrong = `nonsense.${"0".repeat(64)}`;
  const flags = ["--data", `${workshop.directory}/wrong`, "--name", "node-x", "--port", "0", "--registry-port", "0"];
  const { execFile } = await import("node:child_process");
  const { promisify } = await import("node:util");
  const bin = new URL("../../sdk/bin/shallop.js", import.meta.url).pathname;
  const api = `https://127.0.0.1:${platform.ports.api}`;
  const refused = await promisify(execFile)(process.execPath, [
    bin,
    "agent",
    "--join",
    api,
    "--token",
    wrong,
    ...flags,
  ]).catch((error: unknown) => error as { code: number; stderr: string });
  expect(refused).toMatchObject({ code: 1 });
  expect(refused.stderr).toMatch(/is not the one that the join token names/);
});
