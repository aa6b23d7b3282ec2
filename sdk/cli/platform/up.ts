import { spawn } from "node:child_process";
import { openSync } from "node:fs";
import { join } from "node:path";
import { isatty } from "node:tty";
import { systemClock } from "../../internal/clock.ts";
import { aborted, stopSignal } from "../../internal/child.ts";
import {
  checkPorts,
  checkUnlocked,
  controlSocketPath,
  ensureDataDirectory,
  lockDataDirectory,
  type ProgramSpec,
  serveControl,
  Supervisor,
} from "../../supervise/index.ts";
import { type Context, dataDirectoryOf } from "../context.ts";
import {
  agentProgram,
  checkNodeName,
  dockerProgram,
  dockerSocket,
  gatewayProgram,
  type Ports,
  portsOf,
  schedulerProgram,
} from "./programs.ts";
import { waitUntilUp } from "./status.ts";
import type { UpFlags } from "./up-flags.ts";

/** The processes of a platform end when whoever started them is gone; on a busy machine not at once. */
const orphansEndMsMax = 20_000;

/** `shallop up`: starts the processes of a platform and keeps them running until it is told to stop. */
export async function up(context: Context, flags: UpFlags): Promise<void> {
  const dataDirectory = dataDirectoryOf(context, flags);
  const ports = portsOf(flags);
  checkNodeName(flags.nodeName);
  // Before anything is: what is said of them may be wrong.
  const programs: Programs = {
    scheduler: schedulerProgram(dataDirectory, flags, ports),
    agent: agentProgram(dataDirectory, flags, ports),
    gateway: gatewayProgram(dataDirectory, flags, ports),
    docker: dockerProgram(dataDirectory, flags, ports),
  };
  ensureDataDirectory(dataDirectory);
  if (flags.detach === true) {
    checkUnlocked(dataDirectory);
    return detach(context, { dataDirectory, flags, ports });
  }
  const startedMs = systemClock.nowMs();
  using lock = lockDataDirectory(dataDirectory);
  const wanted = [
    { port: ports.gateway, flag: "--port", what: "the gateway" },
    ...(ports.https === undefined ? [] : [{ port: ports.https, flag: "--https-port", what: "the gateway with TLS" }]),
    { port: ports.api, flag: "--api-port", what: "the API" },
    { port: ports.registry, flag: "--registry-port", what: "the registry" },
    { port: ports.agent, flag: "--agent-port", what: "the node agent" },
  ];
  await checkPorts(flags.host, wanted, lock.isTakenOver ? { clock: systemClock, waitMs: orphansEndMsMax } : undefined);
  const stop = stopSignal();
  const asked = Promise.withResolvers<void>();
  const supervisor = new Supervisor({
    clock: systemClock,
    logDirectory: join(dataDirectory, "logs"),
    env: childEnvironment(context),
    onChange: (name, sentence) => context.print(`${context.style.yellow(name)} ${sentence}`),
  });
  using _control = await serveControl(controlSocketPath(dataDirectory), async ({ command }) => {
    if (command === "down") asked.resolve();
    return { pid: process.pid, programs: supervisor.status() };
  });
  try {
    const facts = await startAll(supervisor, programs);
    const hungUp = hangup(() => void supervisor.replace("gateway"));
    announce(context, { dataDirectory, flags, ports, facts, tookMs: systemClock.nowMs() - startedMs });
    await Promise.race([aborted(stop), asked.promise, hungUp]);
    context.print("stopping");
  } finally {
    await supervisor.stop();
  }
}

/**
 * SIGHUP: the end of the terminal, where there is one, and with it of the platform. Where there is none somebody has sent it,
 * as one does to other proxies, to have the gateway replaced.
 */
function hangup(replace: () => void): Promise<void> {
  const hasTerminal = isatty(0);
  return new Promise((resolve) => {
    process.on("SIGHUP", hasTerminal ? resolve : replace);
  });
}

type Facts = Readonly<Record<string, string>>;

interface Programs {
  readonly scheduler: ProgramSpec;
  readonly agent: ProgramSpec;
  readonly gateway: ProgramSpec;
  readonly docker: ProgramSpec | undefined;
}

async function startAll(supervisor: Supervisor, { scheduler, agent, gateway, docker }: Programs): Promise<Facts> {
  await supervisor.start(scheduler);
  const [node] = await Promise.all([supervisor.start(agent), supervisor.start(gateway)]);
  if (docker !== undefined) await supervisor.start(docker);
  return node;
}

interface Platform {
  readonly dataDirectory: string;
  readonly flags: UpFlags;
  readonly ports: Ports;
}

interface Started extends Platform {
  readonly facts: Facts;
  readonly tookMs: number;
}

function announce(context: Context, { facts, tookMs, ...platform }: Started): void {
  context.print(`${context.style.green("Shallop is up")} after ${(tookMs / 1000).toFixed(1)} s`);
  printPlaces(context, platform, facts);
}

/** What is reachable where. */
function printPlaces({ print, style }: Context, { dataDirectory, flags, ports }: Platform, facts: Facts): void {
  const lines = [
    ["functions", `http://NAME.NAMESPACE.${flags.domain}:${ports.gateway}`],
    ...(ports.https === undefined ? [] : [["with TLS", `https://NAME.NAMESPACE.${flags.domain}:${ports.https}`]]),
    ["api", `https://${flags.host}:${ports.api}`],
    ["registry", `127.0.0.1:${ports.registry}`],
    ["kubeconfig", join(dataDirectory, "kubeconfig")],
    ...Object.entries(facts).filter(([name]) => ["outside", "variants", "missing"].includes(name)),
  ];
  for (const [name, value] of lines) print(`  ${style.dim((name ?? "").padEnd(11))} ${value}`);
  const socket = dockerSocket(dataDirectory, flags);
  if (socket !== undefined) print(`\n  export DOCKER_HOST=unix://${socket}`);
  print(`\n  export KUBECONFIG=${join(dataDirectory, "kubeconfig")}\n`);
}

/**
 * What the platform's processes may know of the caller's environment: where things are, and where telemetry goes, with the
 * login there. Pods get none of it.
 */
function childEnvironment({ environment }: Context): Readonly<Record<string, string>> {
  const names = [
    "PATH",
    "HOME",
    "LANG",
    "TZ",
    "XDG_RUNTIME_DIR",
    "XDG_CACHE_HOME",
    "DOCKER_CONFIG",
    // Authorities of a company's own, for registries and for who issues certificates.
    "NODE_EXTRA_CA_CERTS",
    "TMPDIR",
    "NODE_COMPILE_CACHE",
  ];
  const env: Record<string, string> = { NODE_COMPILE_CACHE: join(cacheOf(environment), "shallop/compile") };
  const telemetry = Object.keys(environment).filter((name) => name.startsWith("OTEL_"));
  for (const name of [...names, ...telemetry]) {
    const value = environment[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}

const cacheOf = (environment: Context["environment"]): string =>
  environment["XDG_CACHE_HOME"] ?? join(environment["HOME"] ?? "/tmp", ".cache");

/** Starts `shallop up` again, without a terminal, and waits until it answers. */
async function detach(context: Context, platform: Platform): Promise<void> {
  const { dataDirectory } = platform;
  const log = openSync(join(dataDirectory, "up.log"), "a", 0o600);
  const args = process.argv.slice(1).filter((argument) => argument !== "--detach");
  const child = spawn(process.execPath, args, { detached: true, stdio: ["ignore", log, log] });
  child.unref();
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  // Control plane, node agent, gateway; and Docker's API where it is asked for.
  const programCount = dockerSocket(dataDirectory, platform.flags) === undefined ? 3 : 4;
  await waitUntilUp(context, { dataDirectory, programCount }, ended);
  context.print(
    `${context.style.green("Shallop is up")} in the background (process ${child.pid}); stop it with shallop down`,
  );
  printPlaces(context, platform, {});
}
