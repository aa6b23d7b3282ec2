import { mkdtemp, readdir, readFile, readlink, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { guestLimitDefaults, silentLog, systemClock, systemRandom } from "@shallop/sdk/internal";
import { type NativeImageOptions, nativeImage } from "../../test/support/native-image.ts";
import type { PodExit, PodLaunch, PodLimits, PodLogLine, RunningPod } from "../pod/pod-runtime.ts";
import { detectFeatures, findProgram, type SandboxMachine } from "./features.ts";
import { LinuxKernel } from "./kernel/linux.ts";
import { NativeRuntime } from "./native-runtime.ts";
import { nodeKey } from "./pod-files.ts";
import type { StartHook } from "./start.ts";

/** Runtimes to test with on this machine, or why there are none. */
export async function sandboxMachines(): Promise<{
  readonly machines: readonly SandboxMachine[];
  readonly missing?: string;
}> {
  const features = await detectFeatures({ knownEscapes: "allow" });
  const { machine } = features;
  if (machine === undefined) return { machines: [], missing: features.nativeMissing ?? "no reason given" };
  const machines: SandboxMachine[] = [];
  for (const kind of ["runc", "crun"] as const) {
    const path = await findProgram(kind);
    if (path !== undefined) machines.push({ ...machine, runtime: { kind, path, version: "unknown" } });
  }
  return { machines };
}

/** Answers a POST with what its body, run as a function in the pod, returns. */
const inspectorScript = `
import * as fs from "node:fs";
import * as net from "node:net";
import * as child from "node:child_process";
import * as workers from "node:worker_threads";
import { createServer } from "node:http";
const AsyncFunction = (async () => {}).constructor;
const server = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  if (request.method === "GET") return response.end("hello from native\\n");
  try {
    const result = await new AsyncFunction("fs", "net", "child", "workers", body)(fs, net, child, workers);
    response.end(JSON.stringify({ result: result ?? null }));
  } catch (error) {
    response.end(JSON.stringify({ error: error.code ?? String(error) }));
  }
});
server.listen(Number(process.env.PORT));
process.on("SIGTERM", () => process.exit(0));
`;

export const inspectorImage = (options: NativeImageOptions = {}): ReturnType<typeof nativeImage> =>
  nativeImage({ script: inspectorScript.replace("SIGTERM", options.stopSignal ?? "SIGTERM"), ...options });

export const testLimits: PodLimits = {
  ...guestLimitDefaults,
  memoryBytes: 256 << 20,
  cpu: 2,
  pidsMax: 64,
  requestTimeoutMs: 60_000,
  concurrencyMax: 0,
  startTimeoutMs: 60_000,
};

let launches = 0;

/** What differs from the usual launch; without an image, what differs from the inspector's. */
export type LaunchOptions = Partial<Omit<PodLaunch, "env">> & Omit<NativeImageOptions, "env">;

export function launchOf(options: LaunchOptions = {}): PodLaunch {
  const uid = options.uid ?? `uid-${++launches}`;
  return {
    namespace: "default",
    name: `hello-${launches}`,
    uid,
    image: options.image ?? inspectorImage(options),
    env: [{ name: "PORT", value: "8080" }],
    port: 8080,
    limits: testLimits,
    ...(options.command === undefined ? {} : { command: options.command }),
    ...pick(options, "namespace", "name", "args", "limits", "port", "security", "shares"),
  };
}

function pick<Value extends object, Name extends keyof Value>(
  value: Value,
  ...names: readonly Name[]
): Partial<Pick<Value, Name>> {
  const picked: Partial<Pick<Value, Name>> = {};
  for (const name of names) if (value[name] !== undefined) picked[name] = value[name];
  return picked;
}

export interface Sandbox extends AsyncDisposable {
  readonly runtime: NativeRuntime;
  readonly directory: string;
  readonly lines: { readonly uid: string; readonly line: PodLogLine }[];
  readonly exits: Map<string, PodExit>;
  readonly notices: { readonly uid: string; readonly reason: string }[];
  start(options?: LaunchOptions): Promise<RunningPod>;
  /** Another agent on the same state, as after a restart. */
  again(): Promise<NativeRuntime>;
}

/** A native runtime in a temporary directory; at the end its pods are stopped and the directory is removed. */
export async function openSandbox(
  machine: SandboxMachine,
  options: {
    readonly directory?: string;
    readonly addressRange?: string;
    readonly egressAllowed?: readonly string[];
    readonly sparesMax?: number;
    readonly proxyAlone?: boolean;
    readonly hooks?: readonly StartHook[];
  } = {},
): Promise<Sandbox> {
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), "shallop-sandbox-")));
  const path = await realpath(directory);
  ownNodes.add(nodeKey(path));
  ownDirectories.add(path);
  const lines: Sandbox["lines"] = [];
  const notices: Sandbox["notices"] = [];
  const exits: Sandbox["exits"] = new Map();
  const open = (): Promise<NativeRuntime> =>
    NativeRuntime.open({
      directory,
      machine,
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
      observer: {
        exited: (uid, exit) => void exits.set(uid, exit),
        logged: (uid, line) => void lines.push({ uid, line }),
        noticed: (uid, { reason }) => void notices.push({ uid, reason }),
      },
      ...(options.hooks === undefined ? {} : { hooks: options.hooks }),
      ...(options.proxyAlone === undefined ? {} : { proxyAlone: options.proxyAlone }),
      ...(options.sparesMax === undefined ? {} : { sparesMax: options.sparesMax }),
      ...(options.egressAllowed === undefined ? {} : { egressAllowed: options.egressAllowed }),
      ...(options.addressRange === undefined ? {} : { addressRange: options.addressRange }),
    });
  const runtime = await open();
  return {
    runtime,
    directory,
    lines,
    exits,
    notices,
    again: open,
    start: (launch) => runtime.start(launchOf(launch), AbortSignal.timeout(120_000)),
    [Symbol.asyncDispose]: async () => {
      await runtime[Symbol.asyncDispose]();
      // Whatever a failed test left: nothing of it may reach the next.
      const last = await open();
      for (const pod of await last.adopt()) await last.stop(pod.uid, 0);
      await last[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Runs JavaScript in a pod made of inspectorImage. @throws Error with the code of what it threw */
export async function inside(pod: RunningPod, body: string): Promise<unknown> {
  // Not kept open: another test's pod may have this address by then.
  const response = await fetch(`http://${pod.ip}:8080/`, { method: "POST", body, headers: { connection: "close" } });
  const answer: unknown = await response.json();
  if (typeof answer === "object" && answer !== null && "result" in answer) return answer.result;
  throw new Error(JSON.stringify(answer));
}

/** Nodes that the tests of this process opened. Others may run on the machine meanwhile, and are none of our business. */
const ownNodes = new Set<string>();
const ownDirectories = new Set<string>();

/** The node that a link or a network namespace is named after, or has written on it; undefined: of no node at all. */
function nodeOf({ name, alias }: { readonly name: string; readonly alias: string }): string | undefined {
  const patterns = [
    /^shallop-node-([0-9a-f]{6})$/,
    /^shallop-([0-9a-f]{6})-/,
    /^s([0-9a-f]{6})[0-9a-f]{8}$/,
    /^s[bx]([0-9a-f]{6})$/,
  ];
  return patterns.flatMap((pattern) => pattern.exec(alias)?.[1] ?? pattern.exec(name)?.[1] ?? [])[0];
}

const isOthers = (node: string | undefined): boolean => node !== undefined && !ownNodes.has(node);

/** What pods leave on a machine when they leave something: whatever is there, other nodes' own left out. */
export async function machineCounts(): Promise<Readonly<Record<string, number>>> {
  const kernel = await LinuxKernel.open(systemClock);
  const mounts = (await readFile("/proc/self/mountinfo", "utf8")).split("\n");
  const { roots } = kernel.cgroups.layout;
  const cgroups = await Promise.all(roots.map((root) => podCgroups(join(root, "shallop"))));
  const tables = await kernel.packetTables("shallop_");
  const namespaces = (await kernel.networkNamespaces()).map((name) => ({ name, alias: "" }));
  return {
    // Each network namespace is a mount, too; they are counted by themselves. Others mount things of their own.
    mounts: mounts.filter((line) => ["/run/shallop", ...ownDirectories].some((path) => line.includes(path))).length,
    namespaces: namespaces.filter((namespace) => !isOthers(nodeOf(namespace))).length,
    tables: tables.filter((name) => ownNodes.has(name.slice("shallop_".length))).length,
    ids: (await idHolders()).filter((holder) => ownNodes.has(holder.split("-")[0] ?? "")).length,
    links: (await kernel.links()).filter((link) => !isOthers(nodeOf(link))).length,
    cgroups: cgroups.flat().length,
    processes: await ownProcesses(kernel),
    // Of pods' files; connections of the tests themselves come and go.
    descriptors: (await openFiles()).filter((path) => path.includes("shallop-sandbox-")).length,
  };
}

async function ownProcesses(kernel: LinuxKernel): Promise<number> {
  const found = await Promise.all([...ownDirectories].map((directory) => kernel.processesNaming(directory)));
  return found.flat().length;
}

/** Of ranges of user ids: `node-pod` each. */
async function idHolders(): Promise<readonly string[]> {
  const directory = "/run/shallop/ids";
  const names = await readdir(directory).catch(() => []);
  return Promise.all(names.map((name) => readlink(join(directory, name)).catch(() => "")));
}

async function openFiles(): Promise<readonly string[]> {
  const descriptors = await readdir("/proc/self/fd");
  return Promise.all(descriptors.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => "")));
}

/** Directories below those of our nodes, which themselves stay as long as a node runs. */
async function podCgroups(directory: string): Promise<readonly string[]> {
  const found = await Promise.all(
    [...ownNodes].map((node) =>
      readdir(join(directory, node), { recursive: true, withFileTypes: true }).catch(() => []),
    ),
  );
  return found.flat().flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
}

/** Waits for something to become true; for what happens on its own, at a time nobody can name. */
export async function until(condition: () => boolean | Promise<boolean>, timeoutMs = 120_000): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${timeoutMs} ms: ${condition.toString()}`);
    await systemClock.sleep(20);
  }
}
