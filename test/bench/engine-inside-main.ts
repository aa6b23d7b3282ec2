// What can only be measured inside of a process that runs guests. Started by engine.bench.ts with V8's flags of such a
// process; prints one line of JSON.
import { readFileSync } from "node:fs";
import { argv } from "node:process";
import type { GuestResponse, Instance, LoadedComponent } from "../../runtime/component/engine.ts";
import { componentEngine } from "../../runtime/component/component-engine.ts";
import { artifactOf, inDirectory, readPreparedFiles } from "../../runtime/component/prepared-files.ts";
import { addressJudge } from "../../runtime/component/egress/address-judge.ts";
import { Egress } from "../../runtime/component/egress/egress.ts";
import { emptyQueue } from "../../runtime/component/wasi/byte-queue.ts";
import { guestBounds, type GuestSettings, noGrants } from "../../runtime/component/wasi/guest-context.ts";
import { ArtifactCache } from "../../runtime/host/artifact-cache.ts";
import { guestLimitDefaults, systemClock, systemRandom } from "../../sdk/internal/index.ts";
import { median } from "./figures.ts";
import type { InsideAnswer, InsideTask } from "./engine-inside.ts";

const settings: GuestSettings = {
  ...noGrants,
  environment: [],
  clock: systemClock,
  random: systemRandom,
  egress: new Egress(addressJudge()),
  log: () => undefined,
  ended: () => undefined,
  bounds: guestBounds,
};
const caps = { memoryBytes: 1024 * 1024 * 1024, tableEntriesMax: guestLimitDefaults.tableEntriesMax };
const cache = new ArtifactCache();

async function load(preparedDir: string): Promise<LoadedComponent> {
  const modules = cache.modules(preparedDir, inDirectory(preparedDir), caps);
  return componentEngine.load(artifactOf(readPreparedFiles(inDirectory(preparedDir)), modules));
}

/** One request; the instance is not given back. @returns when the answer began */
async function served(instance: Instance, target = "/"): Promise<number> {
  let begunMs = 0;
  let body = "";
  const response: GuestResponse = {
    respond: (status) => {
      begunMs = systemClock.nowMs();
      if (status !== 200) throw new Error(`the guest answered with ${status}`);
    },
    body: {
      capacity: () => 64 * 1024,
      write: (bytes) => void (body += Buffer.from(bytes).toString("latin1")),
      flushed: () => true,
      failure: () => undefined,
      ready: () => true,
      subscribe: () => () => undefined,
    },
    finish: () => undefined,
    fail: (message) => {
      throw new Error(message);
    },
  };
  const request = {
    method: "GET",
    target,
    scheme: "http",
    authority: "bench",
    headers: ["accept", "*/*"],
    body: emptyQueue(),
  };
  await instance.handle(request, response);
  if (body !== "hello, world\n") throw new Error(`the guest answered ${JSON.stringify(body)}`);
  return begunMs;
}

async function warmUp(component: LoadedComponent, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    const instance = await component.instantiate(settings);
    await served(instance);
    instance.dispose();
  }
}

/** From the end of one request until its instance is a fresh one for the next; the median in microseconds. */
async function forkReadyUs(preparedDir: string, rounds: number): Promise<number> {
  const component = await load(preparedDir);
  await warmUp(component, Math.ceil(rounds / 4));
  const samples: number[] = [];
  let instance = await component.instantiate(settings);
  for (let round = 0; round < rounds; round++) {
    await served(instance);
    const startedMs = systemClock.nowMs();
    instance.dispose();
    const next = component.takeReady?.(() => settings);
    samples.push((systemClock.nowMs() - startedMs) * 1000);
    instance = next ?? (await component.instantiate(settings));
  }
  return median(samples);
}

// So few that most windows are not interrupted by what else the machine does.
const requestsPerWindow = 25;

/** What the engine takes for a request with a fresh instance, without HTTP; the median of `windows` in microseconds. */
async function requestUs(preparedDir: string, windows: number): Promise<number> {
  const component = await load(preparedDir);
  // V8 compiles in stages what is called often.
  await warmUp(component, windows * requestsPerWindow);
  const samples: number[] = [];
  for (let window = 0; window < windows; window++) {
    const startedMs = systemClock.nowMs();
    for (let round = 0; round < requestsPerWindow; round++) {
      const instance = component.takeReady?.(() => settings) ?? (await component.instantiate(settings));
      await served(instance);
      instance.dispose();
    }
    samples.push(((systemClock.nowMs() - startedMs) * 1000) / requestsPerWindow);
  }
  return median(samples);
}

/** From the files to the beginning of the first answer, of components that this process sees for the first time. */
async function firstByte(copies: readonly string[]): Promise<InsideAnswer["firstByte"]> {
  const samples: number[] = [];
  const processor: number[] = [];
  for (const copy of copies) {
    const startedMs = systemClock.nowMs();
    const before = process.threadCpuUsage();
    const component = await load(copy);
    samples.push((await served(await component.instantiate(settings))) - startedMs);
    const { user, system } = process.threadCpuUsage(before);
    processor.push((user + system) / 1000);
    // Not counted: what is compiled for it behind its back ends before the next.
    await systemClock.sleep(100);
  }
  return { ms: median(samples), processorMs: median(processor) };
}

/** What an instance that waits costs beside the pages that it has written; bytes. */
async function idleForkBytes(preparedDir: string, count: number): Promise<number> {
  const component = await load(preparedDir);
  await warmUp(component, 3);
  const before = privateBytes();
  const instances: Instance[] = [];
  for (let index = 0; index < count; index++) instances.push(await component.instantiate(settings));
  for (const instance of instances) await served(instance);
  for (const instance of instances.splice(0)) instance.dispose();
  const after = privateBytes();
  // One of them was there before.
  return (after.all - after.written - (before.all - before.written)) / (count - 1);
}

// Longer than a crowd takes to begin.
const crowdWaitMs = 1500;
const crowdRounds = 3;

/** A crowd of requests each of which waits for a while, as long as the others do. */
async function crowdUs(preparedDir: string, count: number): Promise<NonNullable<InsideAnswer["crowdUs"]>> {
  const component = await load(preparedDir);
  await warmUp(component, 3);
  // The engine's own timers keep no process alive.
  const alive = setInterval(() => undefined, 1000);
  const begun: number[] = [];
  const answered: number[] = [];
  const usOf = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / count;
  for (let round = 0; round < crowdRounds; round++) {
    const before = process.threadCpuUsage();
    const all: Promise<void>[] = [];
    for (let index = 0; index < count; index++) {
      const instance = component.takeReady?.(() => settings) ?? (await component.instantiate(settings));
      all.push(served(instance, `/?wait=${crowdWaitMs}`).then(() => instance.dispose()));
    }
    const beganUs = usOf(process.threadCpuUsage(before));
    begun.push(beganUs);
    await Promise.all(all);
    answered.push(usOf(process.threadCpuUsage(before)) - beganUs);
  }
  clearInterval(alive);
  return { begun: median(begun), answered: median(answered) };
}

interface PrivateBytes {
  readonly all: number;
  /** In memories of guests that are mapped from their image: what differs from it. */
  readonly written: number;
}

function privateBytes(): PrivateBytes {
  globalThis.gc?.();
  globalThis.gc?.();
  let all = 0;
  let written = 0;
  let isImage = false;
  for (const line of readFileSync("/proc/self/smaps", "utf8").split("\n")) {
    if (/^[0-9a-f]+-[0-9a-f]+ /.test(line)) isImage = line.includes("memfd:shallop-image");
    const bytes = Number(/^Private_(?:Dirty|Clean):\s+(\d+) kB/.exec(line)?.[1] ?? 0) * 1024;
    all += bytes;
    if (isImage) written += bytes;
  }
  return { all, written };
}

const task = JSON.parse(argv[2] ?? "") as InsideTask;
// As a thread that waits for its pod: the engine has run, and what comes is new.
await warmUp(await load(task.minimal), 5);
const { minimal, quickJs, starlingMonkey, waiting, rounds, forks, crowd } = task;
const answer: InsideAnswer = {
  firstByte: await firstByte(task.unseen),
  requestUs: {
    minimal: await requestUs(minimal, rounds),
    ...(quickJs === undefined ? {} : { quickJs: await requestUs(quickJs, rounds) }),
  },
  forkReadyUs: {
    oneMiB: await forkReadyUs(task.oneMiB, rounds),
    ...(starlingMonkey === undefined ? {} : { starlingMonkey: await forkReadyUs(starlingMonkey, rounds) }),
  },
  ...(waiting === undefined ? {} : { crowdUs: await crowdUs(waiting, crowd) }),
  idleForkBytes: {
    minimal: await idleForkBytes(minimal, forks),
    ...(starlingMonkey === undefined ? {} : { starlingMonkey: await idleForkBytes(starlingMonkey, forks) }),
  },
};
console.log(JSON.stringify(answer));
