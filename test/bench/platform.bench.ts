import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../sdk/internal/index.ts";
import { putLoad } from "../support/load.ts";
import { eventually, Platform } from "../support/platform.ts";
import { figure, median, quantile } from "./figures.ts";
import { plainRequest } from "./plain-request.ts";
import { descendants, proportionalBytes } from "./processes.ts";

const sample = (name: string): string => fileURLToPath(new URL(`../../samples/${name}`, import.meta.url));

/** Functions that are deployed and at zero, then asked one after the other. */
const idleFunctions = 10;
/** Each function is asked this often, from zero each time. */
const coldRounds = 3;
const nativeFunctions = 5;
const betweenMs = 500;

/** The main job: cold starts, warm requests, memory. The whole platform runs on this machine, and so does the load. */
export async function platformBench(): Promise<void> {
  // The smallest windows that Knative allows: the next round begins some seconds after the last. What is asked as regularly as
  // here would be kept warm.
  const autoscaler = ["stable-window=6s", "scale-to-zero-grace-period=6s", "keep-warm-worth=0s"];
  await using platform = await Platform.start({ autoscaler });
  console.log("\nfrom the call of shallop up to what is reachable where");
  figure(
    "shallop up",
    `${(platform.startMs / 1000).toFixed(2)} s`,
    `goal 2 s: ${(platform.startMs / 2_000).toFixed(2)} of it`,
  );
  const status = JSON.parse(await platform.run("status", "-o", "json")) as { nodes: { native: string }[] };
  await platform.run("build", sample("hello"), "--push");

  const before = memoryOf(platform);
  const idle = await deployed(platform, { prefix: "idle", image: "hello:1.0.0", count: idleFunctions });
  const atZero = memoryOf(platform);

  console.log("\nfrom zero, through the gateway, image on the node");
  await using bare = await BareServer.start();
  const wasm = await coldStarts(platform, idle, { rounds: coldRounds, bare });
  report("wasm", wasm, 5);
  if (status.nodes[0]?.native === "yes") {
    await platform.run("build", sample("native"), "--push");
    const native = await deployed(platform, { prefix: "native", image: "native:1.0.0", count: nativeFunctions });
    report("native (Node in the container)", await coldStarts(platform, native, { rounds: coldRounds, bare }), 400);
  } else figure("native", "not here", "shallop status says what is missing");

  console.log("\nwarm, 16 connections, alternating, medians of three");
  await warmRequests(platform, { name: idle[0] ?? "", bare });

  console.log("\nmemory");
  await atZeroAgain(platform, idle);
  await memory(platform, { before, atZero, idle });
}

interface Batch {
  readonly prefix: string;
  readonly image: string;
  readonly count: number;
}

/** Deploys some services of one image and waits until all are ready and at zero. */
async function deployed(platform: Platform, { prefix, image, count }: Batch): Promise<readonly string[]> {
  const names = Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
  for (const name of names) await platform.run("deploy", name, "--image", image, "--no-wait");
  await atZeroAgain(platform, names);
  return names;
}

/** The gateway hears of it a moment after the API says so. */
const hearsayMs = 500;

async function atZeroAgain(platform: Platform, names: readonly string[]): Promise<void> {
  const probe = async (): Promise<true | undefined> => {
    const lines = (await platform.run("list")).split("\n");
    return names.every((name) => lines.some((line) => new RegExp(`^${name} +True +0 `).test(line))) ? true : undefined;
  };
  await eventually(`${names.length} services are ready and at zero`, probe, 180_000);
  await systemClock.sleep(hearsayMs);
}

/** Milliseconds from a request's first byte to its answer's. */
interface Starts {
  /** Each from zero. */
  readonly cold: readonly number[];
  /** Of the same functions, once they have a pod: after the same pause, which a machine takes time to wake up from. */
  readonly warm: readonly number[];
  /** Of bare node:http, after it too. */
  readonly bare: readonly number[];
}

interface Rounds {
  readonly rounds: number;
  readonly bare: BareServer;
}

async function coldStarts(platform: Platform, names: readonly string[], { rounds, bare }: Rounds): Promise<Starts> {
  const cold: number[] = [];
  const warm: number[] = [];
  const bareMs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    if (round > 0) await atZeroAgain(platform, names);
    for (const name of names) {
      for (const wantsWarm of [false, true]) {
        const answer = await plainRequest(platform.ports.gateway, `${name}.default.localhost`);
        if (answer.status !== 200) throw new Error(`${name} answered ${answer.status}: ${answer.head}`);
        // One that was started by somebody else meanwhile was not at zero, and says nothing.
        const isWarm = !/^server-timing:.*activate/m.test(answer.head);
        if (isWarm === wantsWarm) (isWarm ? warm : cold).push(answer.ms);
        // What the start has left to do (records, a spare thread) shall not be counted against the next.
        await systemClock.sleep(betweenMs);
      }
      bareMs.push((await plainRequest(bare.port, "localhost")).ms);
      await systemClock.sleep(betweenMs);
    }
  }
  return { cold, warm, bare: bareMs };
}

function report(what: string, { cold, warm, bare }: Starts, goalMs: number): void {
  const p50 = median(cold);
  figure(`${what}: p50`, `${p50.toFixed(1)} ms`, `goal ${goalMs} ms: ${(p50 / goalMs).toFixed(2)} of it`);
  figure(`${what}: p99`, `${quantile(cold, 0.99).toFixed(1)} ms`, `${cold.length} starts`);
  const warmP50 = median(warm);
  figure(
    "… warm, after the same pause: p50",
    `${warmP50.toFixed(1)} ms`,
    `from zero to it ${(p50 / warmP50).toFixed(2)}`,
  );
  figure("… warm, after the same pause: p99", `${quantile(warm, 0.99).toFixed(1)} ms`, `${warm.length} requests`);
  const bareText = `${median(bare).toFixed(1)}, ${quantile(bare, 0.99).toFixed(1)} ms`;
  figure("… bare node:http, after the same pause: p50, p99", bareText, `${bare.length} requests`);
}

interface Warm {
  readonly name: string;
  readonly bare: BareServer;
}

async function warmRequests(platform: Platform, { name, bare }: Warm): Promise<void> {
  const load = { connections: 16, durationMs: 4_000 };
  const function_: number[] = [];
  const limit: number[] = [];
  const latencies: number[] = [];
  for (let round = 0; round < 3; round++) {
    const answered = await putLoad({ ...load, port: platform.ports.gateway, host: `${name}.default.localhost` });
    if (Object.keys(answered.statuses).join() !== "200")
      throw new Error(`answers: ${JSON.stringify(answered.statuses)}`);
    function_.push(answered.requestsPerSecond);
    latencies.push(answered.p50Ms);
    limit.push((await putLoad({ ...load, port: bare.port, host: "localhost" })).requestsPerSecond);
  }
  const ratio = median(function_) / median(limit);
  figure(
    "function (fresh instance a request)",
    `${median(function_).toFixed(0)}/s`,
    `p50 ${median(latencies).toFixed(1)} ms`,
  );
  figure("bare node:http hello", `${median(limit).toFixed(0)}/s`, `ratio ${ratio.toFixed(4)}`);
}

/** node:http that says hello, in a process of its own. */
class BareServer implements AsyncDisposable {
  readonly port: number;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, port: number) {
    this.#process = process;
    this.port = port;
  }

  static async start(): Promise<BareServer> {
    const server = spawn(process.execPath, [fileURLToPath(new URL("hello-server.ts", import.meta.url))], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = (await once(server.stdout, "data")) as [Buffer];
    return new BareServer(server, Number(line.toString()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill();
  }
}

const activePods = 5;

interface MemoryRun {
  readonly before: MemoryBytes;
  readonly atZero: MemoryBytes;
  readonly idle: readonly string[];
}

async function memory(platform: Platform, { before, atZero, idle }: MemoryRun): Promise<void> {
  await platform.ask(`${idle[0] ?? ""}.default`);
  const one = memoryOf(platform);
  for (const name of idle.slice(1, activePods + 1)) await platform.ask(`${name}.default`);
  const more = memoryOf(platform);
  const perIdle = (atZero.platform - before.platform) / idle.length;
  const perActive = (more.hosts - one.hosts) / activePods;
  figure(
    "per function at zero, all processes together",
    `${(perIdle / 1024).toFixed(0)} KiB`,
    `${idle.length} functions`,
  );
  figure(
    "per active wasm pod, in its host process",
    `${(perActive / 1024 / 1024).toFixed(1)} MiB`,
    `${activePods} pods`,
  );
  figure(
    "the platform itself",
    `${(before.platform / 1024 / 1024).toFixed(0)} MiB`,
    "control plane, node agent, gateway, supervisor",
  );
}

interface MemoryBytes {
  readonly platform: number;
  readonly hosts: number;
}

/** Proportional set sizes of the platform's processes and of its host processes. */
function memoryOf(platform: Platform): MemoryBytes {
  let own = 0;
  let hosts = 0;
  for (const pid of descendants(platform.pid)) {
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
    if (command.includes("host-main.ts\0")) hosts += proportionalBytes(pid);
    else own += proportionalBytes(pid);
  }
  return { platform: own, hosts };
}
