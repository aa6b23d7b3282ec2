import { fileURLToPath } from "node:url";
import { systemClock } from "../../sdk/internal/index.ts";
import { sendCrowd } from "../support/h2-crowd.ts";
import { inventoryOf } from "../support/inventory.ts";
import { putLoad } from "../support/load.ts";
import { eventually, Platform } from "../support/platform.ts";
import { echoScript } from "../soak/mixed-load.ts";
import { needKubectl } from "../support/kubectl.ts";
import { Workshop } from "../support/workshop.ts";
import { minimalComponent, waitingMinimalComponent } from "./engine-guests.ts";
import { figure, median } from "./figures.ts";
import { bareNode, type HttpPeer } from "./http-peers.ts";
import { descendants, processorMs, processorMsOf } from "./processes.ts";
import { haproxy, nginx, proxyPrograms } from "./proxy-peers.ts";

export interface ProxiesBench {
  readonly rounds: number;
  readonly roundMs: number;
  readonly connections: number;
  readonly crowd: number;
}
export const largeProxiesBench: ProxiesBench = { rounds: 7, roundMs: 3_000, connections: 32, crowd: 1_000 };
export const smallProxiesBench: ProxiesBench = { rounds: 1, roundMs: 300, connections: 4, crowd: 50 };

const sample = (name: string): string => fileURLToPath(new URL(`../../samples/${name}`, import.meta.url));
// As guests/wait.wat has it.
const forkWaitMs = 1_000;
const crowds = ["first", "second", "third"] as const;
// A gateway hears within it how a function that was just deployed scales.
const settledMs = 3_000;

/** Someone who answers hello, and all processes that have a part in it. */
interface Contender {
  readonly name: string;
  readonly port: number;
  readonly host: string;
  readonly pids: readonly number[];
}

/** The gateway beside nginx and HAProxy in front of node:http: requests by processor time of all that take part, and latency. */
export async function proxiesBench(bench: ProxiesBench): Promise<void> {
  await using platform = await Platform.start();
  await using workshop = await Workshop.open();
  using node = await bareNode();
  await using programs = await proxyPrograms();
  using ngx = await nginx(programs, `127.0.0.1:${node.port}`);
  using hap = await haproxy(programs, node.port);
  const ours = await functionsOf(platform, workshop);
  const pod = await nativePod(platform);
  using toPod = pod === undefined ? undefined : await nginx(programs, pod);
  const behindNginx = toPod && {
    name: nginxToPod,
    port: toPod.port,
    host: "bench",
    pids: [...pidsOf(toPod), ...ours.pods],
  };
  const contenders: Contender[] = [
    ...ours.functions,
    ...(behindNginx === undefined ? [] : [behindNginx]),
    { name: "nginx → node:http", port: ngx.port, host: "bench", pids: pidsOf(ngx, node) },
    { name: "HAProxy → node:http", port: hap.port, host: "bench", pids: pidsOf(hap, node) },
    { name: "node:http alone", port: node.port, host: "bench", pids: pidsOf(node) },
  ];
  console.log(
    `\nrequests by processor second, ${bench.connections} connections, alternating, medians of ${bench.rounds}`,
  );
  const byName = await measured(contenders, bench);
  await addedLatency(contenders, byName, bench);
  await crowdsOfForks(platform, workshop, bench);
}

const nginxToPod = "nginx → native pod";

/** Where the native pod itself listens; undefined when there is none. */
async function nativePod(platform: Platform): Promise<string | undefined> {
  await using kubectl = await needKubectl(platform.kubeconfig);
  const query = ["get", "pods", "-l", "serving.knative.dev/service=native", "-o", "jsonpath={.items[0].status.podIP}"];
  const { code, stdout } = await kubectl(query);
  return code === 0 && stdout !== "" ? `${stdout}:8080` : undefined;
}

const pidsOf = (...peers: readonly HttpPeer[]): readonly number[] => peers.flatMap(({ pid }) => descendants(pid));

interface Status {
  readonly nodes: readonly { readonly native: string }[];
  readonly programs: readonly { readonly name: string; readonly pid: number }[];
}

/** A function with QuickJS in it, the smallest component, and a native pod. The gateway counts, and whatever the node runs pods with. */
async function functionsOf(
  platform: Platform,
  workshop: Workshop,
): Promise<{ readonly functions: readonly Contender[]; readonly pods: readonly number[] }> {
  const status = JSON.parse(await platform.run("status", "-o", "json")) as Status;
  const kept = ["--min-scale", "1", "--max-scale", "1"];
  await platform.run("build", sample("hello"), "--push");
  await platform.run("deploy", "wasm", "--image", "hello:1.0.0", ...kept);
  const minimal = await workshop.publish(platform, "minimal", { component: await minimalComponent() });
  await platform.run("deploy", "minimal", "--image", minimal, ...kept);
  const names = ["wasm", "minimal"];
  if (status.nodes[0]?.native === "yes") {
    await platform.run("build", sample("native"), "--push");
    await platform.run("deploy", "native", "--image", "native:1.0.0", ...kept);
    names.push("native");
  } else figure("native", "not here", "shallop status says what is missing");
  for (const name of names)
    await eventually(`${name} answers`, async () =>
      (await platform.ask(`${name}.default`)).status === 200 ? true : undefined,
    );
  // Those that have no part in a request stay out of it: they decide, and idle meanwhile.
  const gateway = status.programs.find((program) => program.name === "gateway")?.pid ?? 0;
  const others = new Set([platform.pid, ...status.programs.map((program) => program.pid)]);
  const { processes } = await inventoryOf(platform.dataDirectory);
  const running = processes.filter(({ pid }) => !others.has(pid)).map(({ pid }) => pid);
  const pods = [...new Set(running.flatMap(descendants))];
  const pids = [...new Set([...pods, ...descendants(gateway)])];
  const { gateway: port } = platform.ports;
  const functions = names.map((name) => ({
    name: `gateway → ${name}`,
    port,
    host: `${name}.default.localhost`,
    pids,
  }));
  return { functions, pods };
}

interface Measured {
  readonly perProcessorSecond: number;
  readonly perSecond: number;
}

async function measured(contenders: readonly Contender[], bench: ProxiesBench): Promise<ReadonlyMap<string, Measured>> {
  const { rounds, roundMs: durationMs, connections } = bench;
  const samples = new Map<string, Measured[]>(contenders.map(({ name }) => [name, []]));
  for (const { port, host } of contenders) await putLoad({ port, host, connections, durationMs: durationMs / 3 });
  for (let round = 0; round < rounds; round++) {
    for (const { name, port, host, pids } of contenders) {
      const beforeMs = processorMsOf(pids);
      const {
        requests,
        requestsPerSecond: perSecond,
        statuses,
      } = await putLoad({ port, host, connections, durationMs });
      const usedMs = Math.max(1, processorMsOf(pids) - beforeMs);
      if (statuses["200"] !== requests) throw new Error(`${name} answers with ${JSON.stringify(statuses)}`);
      samples.get(name)?.push({ perProcessorSecond: (requests * 1000) / usedMs, perSecond });
    }
  }
  const medians = new Map<string, Measured>();
  for (const [name, of] of samples) {
    const perProcessorSecond = median(of.map((one) => one.perProcessorSecond));
    medians.set(name, { perProcessorSecond, perSecond: median(of.map((one) => one.perSecond)) });
  }
  const beside = (name: string): number => medians.get(name)?.perProcessorSecond ?? Number.NaN;
  for (const [name, { perProcessorSecond, perSecond }] of medians) {
    const toNginx = (perProcessorSecond / beside("nginx → node:http")).toFixed(2);
    const toHaproxy = (perProcessorSecond / beside("HAProxy → node:http")).toFixed(2);
    const toPod =
      name === "gateway → native" ? `; to ${nginxToPod} ${(perProcessorSecond / beside(nginxToPod)).toFixed(2)}` : "";
    const words = `${perSecond.toFixed(0)}/s; to nginx ${toNginx}, to HAProxy ${toHaproxy}${toPod}`;
    figure(name, perProcessorSecond.toFixed(0), words);
  }
  console.log("  goals: gateway → wasm to both 1.00, gateway → native to nginx → native pod 0.50");
  return medians;
}

/** At half of what each takes at most, beside node:http at the same rate. */
async function addedLatency(
  contenders: readonly Contender[],
  byName: ReadonlyMap<string, Measured>,
  { roundMs: durationMs, connections }: ProxiesBench,
): Promise<void> {
  console.log("\nlatency at half load, and what is above node:http alone at the same rate");
  const alone = contenders.at(-1);
  for (const { name, port, host } of contenders.slice(0, -1)) {
    const requestsPerSecond = (byName.get(name)?.perSecond ?? 0) / 2;
    const through = await putLoad({ port, host, connections, durationMs, requestsPerSecond });
    const without = await putLoad({
      port: alone?.port ?? 0,
      host: "bench",
      connections,
      durationMs,
      requestsPerSecond,
    });
    const added = (a: number, b: number): string => `${a.toFixed(2)} ms, ${(a - b).toFixed(2)} ms added`;
    const words = `p50 ${added(through.p50Ms, without.p50Ms)}; p99 ${added(through.p99Ms, without.p99Ms)}`;
    figure(name, `${requestsPerSecond.toFixed(0)}/s`, words);
  }
}

/** From one instance at most to so many at work at once; and again, when the pods that have come are there. */
async function crowdsOfForks(platform: Platform, workshop: Workshop, { crowd }: ProxiesBench): Promise<void> {
  const functions = [
    { name: "quickjs-crowd", what: { script: echoScript }, is: "QuickJS function" },
    { name: "minimal-crowd", what: { component: await waitingMinimalComponent() }, is: "minimal component" },
  ];
  const limits = ["--annotation", "limits.shallop.dev/instances=4000", "--memory", "4Gi"];
  for (const { name, what } of functions)
    await platform.run("deploy", name, "--image", await workshop.publish(platform, name, what), ...limits);
  await systemClock.sleep(settledMs);
  const { gateway: port } = platform.ports;
  // What the crowds' client and the gateway do for HTTP/2 has been compiled, as in any that has served some.
  await sendCrowd({ port, host: "minimal.default.localhost", path: "/", requests: crowd });
  console.log(
    `\n${crowd} requests at once, of which each keeps an instance for ${forkWaitMs} ms: until all were at work and back, beyond their wait`,
  );
  for (const { name, is } of functions) {
    for (const which of crowds) {
      const beforeMs = processorMs(platform.pid);
      const { statuses, slowestMs } = await sendCrowd({
        port,
        host: `${name}.default.localhost`,
        path: `/?id=1&wait=${forkWaitMs}`,
        requests: crowd,
      });
      const usedMs = processorMs(platform.pid) - beforeMs;
      const words = `${usedMs} ms of processor, the platform's; goal 300 ms for 1000; ${JSON.stringify(statuses)}`;
      figure(`${is}, ${which} crowd`, `${(slowestMs - forkWaitMs).toFixed(0)} ms`, words);
    }
  }
}
