import { systemClock } from "../../sdk/internal/index.ts";
import { seededRandom } from "../../sdk/internal/testing/index.ts";
import { figure, median } from "../bench/figures.ts";
import { descendants, proportionalBytes } from "../bench/processes.ts";
import { needKubectl } from "../support/kubectl.ts";
import type { Platform } from "../support/platform.ts";
import { callSteadily } from "../support/steady-caller.ts";
import type { Workshop } from "../support/workshop.ts";
import { type Killable, killOne, type RolledService, updateAndRollBack } from "./disturbances.ts";
import { echoScript, type LoadOutcome, MixedLoad } from "./mixed-load.ts";

export interface SoakOptions {
  readonly seconds: number;
  readonly requestsPerSecond: number;
  readonly slowMs: number;
  readonly seed: number;
  /** Updates, and as many times back: as many as the time has room for when it is infinite. */
  readonly rollouts: number;
  /** Processes that are killed at random, one each `killEveryMs`. */
  readonly kinds: readonly Killable[];
  readonly killEveryMs: number;
}

export interface SoakOutcome {
  readonly load: LoadOutcome;
  readonly rollouts: number;
  readonly kills: Readonly<Record<string, number>>;
  /** Bytes of all processes of the platform, by the second in which they were looked at. */
  readonly memory: readonly { readonly atMs: number; readonly bytes: number }[];
}

/** Its host process may be killed: the load is not on it. */
const victim = { namespace: "victim", name: "victim" } as const;
const rolled = ["rolled-a", "rolled-b"] as const;
const rolledNatively = "rolled-n";
const memoryEveryMs = 5_000;
/** One that has grown by more over the second half has a leak, or none that can be told from one. */
const growthMax = 1.25;
/** In less time it has not come to its level: the first revisions are still there. */
const levelSeconds = 180;

/** Puts mixed load on functions, one of them native where the machine allows it, while they are updated and rolled back, and processes are killed. */
export async function soak(platform: Platform, workshop: Workshop, options: SoakOptions): Promise<SoakOutcome> {
  const image = await workshop.publish(platform, "soaked", { script: echoScript });
  const services: RolledService[] = rolled.map((name) => ({ name, image }));
  if (await runsNatively(platform)) {
    // It drops what it is at when it is asked to end, as many programs do.
    const native = `process.on("SIGTERM", () => process.exit(0));\n${echoScript}`;
    services.push({ name: rolledNatively, image: await workshop.publish(platform, "soaked-natively", { native }) });
  }
  for (const { name, image: its } of services) await platform.run("deploy", name, "--image", its, "--env", "ROUND=0");
  const isHostKilled = options.kinds.includes("host");
  if (isHostKilled) await deployVictim(platform, image);
  const load = new MixedLoad({
    ...options,
    port: platform.ports.gateway,
    hosts: services.map(({ name }) => `${name}.default.localhost`),
  }).start();
  const bystander = isHostKilled ? callSteadily(platform, `${victim.name}.${victim.namespace}`) : undefined;
  const endMs = systemClock.nowMs() + options.seconds * 1000;
  const isOver = (): boolean => systemClock.nowMs() >= endMs;
  const [rollouts, kills, memory] = await Promise.all([
    rollOut(platform, { services, isOver, rollouts: options.rollouts }),
    killRegularly(platform, options, isOver),
    watchMemory(platform, isOver),
  ]);
  await bystander?.stop();
  return { load: await load.stop(), rollouts, kills, memory };
}

async function deployVictim(platform: Platform, image: string): Promise<void> {
  const { namespace, name } = victim;
  await using kubectl = await needKubectl(platform.kubeconfig);
  await kubectl(["create", "namespace", namespace]);
  await platform.run("deploy", name, "-n", namespace, "--image", image, "--min-scale", "1");
}

async function runsNatively(platform: Platform): Promise<boolean> {
  const { nodes } = JSON.parse(await platform.run("status", "-o", "json")) as {
    readonly nodes: readonly { readonly native: string }[];
  };
  return nodes[0]?.native === "yes";
}

interface RollOut {
  readonly services: readonly RolledService[];
  readonly isOver: () => boolean;
  readonly rollouts: number;
}

async function rollOut(platform: Platform, { services, isOver, rollouts }: RollOut): Promise<number> {
  let done = 0;
  while (!isOver()) {
    const service = services[done % services.length];
    // A control plane that was just killed refuses: whoever deploys tries again.
    const isWanted = done < rollouts && service !== undefined;
    if (isWanted && (await updateAndRollBack(platform, service, done + 1).then(...succeeded))) done++;
    else await systemClock.sleep(500);
  }
  return done;
}

const succeeded = [() => true, () => false] as const;

async function killRegularly(
  platform: Platform,
  { kinds, killEveryMs, seed }: SoakOptions,
  isOver: () => boolean,
): Promise<Readonly<Record<string, number>>> {
  const random = seededRandom(seed);
  const kills: Record<string, number> = {};
  while (!isOver()) {
    await systemClock.sleep(killEveryMs);
    const killed = isOver() ? undefined : await killOne(platform, { kinds, random, victim: victim.namespace });
    if (killed !== undefined) kills[killed] = (kills[killed] ?? 0) + 1;
  }
  return kills;
}

async function watchMemory(platform: Platform, isOver: () => boolean): Promise<SoakOutcome["memory"]> {
  const memory: { atMs: number; bytes: number }[] = [];
  while (!isOver()) {
    await systemClock.sleep(memoryEveryMs);
    const bytes = descendants(platform.pid).reduce((sum, pid) => sum + bytesOf(pid), 0);
    memory.push({ atMs: systemClock.nowMs(), bytes });
  }
  return memory;
}

function bytesOf(pid: number): number {
  try {
    return proportionalBytes(pid);
  } catch {
    // It has just ended.
    return 0;
  }
}

/** Prints what came of it. @returns what was not as it has to be, a sentence each */
export function report({ load, rollouts, kills, memory }: SoakOutcome): readonly string[] {
  const wrong: string[] = [];
  for (const [kind, { sent, answered, failed, refused }] of Object.entries(load.counts)) {
    const again = refused === 0 ? "" : `, ${refused} sent again after REFUSED_STREAM`;
    figure(kind, `${failed} failed`, `${sent} sent, ${answered} answered${again}`);
    if (failed > 0) wrong.push(`${failed} requests failed: ${kind}`);
  }
  figure("latency", `${load.p50Ms.toFixed(1)} ms`, `p99 ${load.p99Ms.toFixed(1)} ms, without the slow ones`);
  figure("updates and as many times back", String(rollouts));
  const killed = Object.entries(kills).map(([kind, count]) => `${kind} ${count}`);
  figure("killed", killed.length === 0 ? "nothing" : killed.join(", "));
  const half = Math.floor(memory.length / 2);
  const [early, late] = [
    memory.slice(Math.floor(half / 2), half),
    memory.slice(-Math.max(1, Math.floor(half / 2))),
  ].map((part) => median(part.map(({ bytes }) => bytes)) / 2 ** 20);
  if (early !== undefined && late !== undefined && early > 0) {
    figure("memory", `${late.toFixed(0)} MiB`, `${early.toFixed(0)} MiB in the second quarter`);
    if (memory.length * memoryEveryMs >= levelSeconds * 1000 && late > early * growthMax)
      wrong.push(`memory has grown from ${early.toFixed(0)} to ${late.toFixed(0)} MiB`);
  }
  for (const failure of load.failures) console.log(`    ${failure}`);
  return wrong;
}
