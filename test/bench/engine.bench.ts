import { createHash } from "node:crypto";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { putLoad } from "../support/load.ts";
import {
  cComponent,
  functionComponent,
  minimalComponent,
  prepared,
  unseenCopies,
  waitingComponent,
} from "./engine-guests.ts";
import { type InsideAnswer, measureInside } from "./engine-inside.ts";
import { figure, median } from "./figures.ts";
import { answerOf, bareNode, type HttpPeer, jcoServe, shallopServe, workerd } from "./http-peers.ts";
import { processorMs } from "./processes.ts";

export interface EngineBenchSize {
  readonly rounds: number;
  readonly roundMs: number;
  /** With a peer that has to be fetched from the registry. */
  readonly withWorkerd: boolean;
  /** With components that hold an engine for JavaScript, which takes a while to build. */
  readonly withJavaScript: boolean;
  readonly forkRounds: number;
  readonly unseen: number;
  readonly forks: number;
  readonly crowd: number;
}

export const largeEngineBench: EngineBenchSize = {
  rounds: 5,
  roundMs: 2000,
  withWorkerd: true,
  withJavaScript: true,
  forkRounds: 400,
  unseen: 15,
  forks: 64,
  crowd: 500,
};

export const smallEngineBench: EngineBenchSize = {
  rounds: 1,
  roundMs: 200,
  withWorkerd: false,
  withJavaScript: false,
  forkRounds: 8,
  unseen: 2,
  forks: 4,
  crowd: 4,
};

// As many as keep one thread busy; a load with more measures the waiting.
const connections = 8;

/** The component engine by itself: `shallop serve` beside its peers, forks, first answers. */
export async function engineBench(size: EngineBenchSize): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "shallop-bench-"));
  try {
    const c = await cComponent(directory);
    const minimal = await prepared("minimal", c ?? (await minimalComponent()), directory);
    console.log(`\nthe minimal component: ${c === undefined ? "written by hand, as there is no clang" : "samples/c"}`);
    console.log(
      `\nrequests, ${connections} connections, alternating, medians of ${size.rounds}; load ${loadavg()[0]?.toFixed(1)}`,
    );
    await requests(join(directory, "minimal.wasm"), size);
    console.log(`\ninside of a process; load ${loadavg()[0]?.toFixed(1)}`);
    await inside(minimal, directory, size);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

interface Measured {
  readonly perSecond: number[];
  /** Of the server's processor, for one request. */
  readonly processorUs: number[];
}

async function requests(component: string, size: EngineBenchSize): Promise<void> {
  using peers = new DisposableStack();
  const bare = peers.use(await bareNode());
  const fresh = peers.use(await shallopServe(component));
  const reused = peers.use(await shallopServe(component, ["--reuse", "100"]));
  const jco = peers.use(await jcoServe(component));
  const others = size.withWorkerd ? [peers.use(await workerd())] : [];
  const all = [bare, fresh, reused, jco, ...others];
  console.log(`  answers: sha256 ${await sameAnswer(all)}`);
  const measured = new Map<HttpPeer, Measured>(all.map((peer) => [peer, { perSecond: [], processorUs: [] }]));
  for (let round = 0; round <= size.rounds; round++) {
    // The first round only warms up.
    for (const [peer, into] of measured)
      await load(peer, size, round === 0 ? { perSecond: [], processorUs: [] } : into);
  }
  const ratio = (peer: HttpPeer): number => {
    const to = measured.get(peer)?.perSecond ?? [];
    return median(
      (measured.get(fresh)?.perSecond ?? []).map((perSecond, round) => perSecond / (to[round] ?? Number.NaN)),
    );
  };
  const line = (what: string, peer: HttpPeer, beside: string): void => {
    const { perSecond = [], processorUs = [] } = measured.get(peer) ?? {};
    const perRequest = `${median(processorUs).toFixed(1)} µs of processor each`;
    figure(what, `${median(perSecond).toFixed(0)}/s`, [perRequest, beside].filter((text) => text !== "").join("; "));
  };
  line("shallop serve, a fresh instance a request", fresh, "");
  line("shallop serve --reuse 100", reused, "");
  line("bare node:http", bare, `ratio ${ratio(bare).toFixed(2)}, goal 0.70`);
  line("jco serve", jco, `ratio ${ratio(jco).toFixed(1)}, goal 20`);
  for (const peer of others) line("workerd", peer, `ratio ${ratio(peer).toFixed(2)}, goal 1.50`);
  if (!size.withWorkerd) figure("workerd", "not asked", "the small size fetches nothing");
}

async function load(peer: HttpPeer, { roundMs }: EngineBenchSize, { perSecond, processorUs }: Measured): Promise<void> {
  const beforeMs = processorMs(peer.pid);
  const result = await putLoad({ port: peer.port, host: "localhost", connections, durationMs: roundMs });
  if (Object.keys(result.statuses).join() !== "200" || result.broken > 0) {
    throw new Error(`${peer.name} answered ${JSON.stringify(result.statuses)}, and ${result.broken} connections broke`);
  }
  perSecond.push(result.requestsPerSecond);
  processorUs.push(((processorMs(peer.pid) - beforeMs) * 1000) / result.requests);
}

/** All say the same. @returns its hash */
async function sameAnswer(peers: readonly HttpPeer[]): Promise<string> {
  const answers = new Set<string>();
  for (const { port } of peers) answers.add(await answerOf(port));
  if (answers.size !== 1) throw new Error(`the servers answer differently: ${JSON.stringify([...answers])}`);
  return createHash("sha256")
    .update([...answers].join(""))
    .digest("hex")
    .slice(0, 16);
}

async function inside(minimal: string, directory: string, size: EngineBenchSize): Promise<void> {
  const build = async (engine: "quickjs" | "starlingmonkey"): Promise<string | undefined> =>
    size.withJavaScript ? prepared(engine, await functionComponent(engine, directory), directory) : undefined;
  const quickjs = await build("quickjs");
  const answer = await measureInside({
    minimal,
    oneMiB: await prepared("one-mib", await minimalComponent(16), directory),
    quickJs: quickjs,
    starlingMonkey: await build("starlingmonkey"),
    waiting: size.withJavaScript ? await prepared("waiting", await waitingComponent(directory), directory) : undefined,
    unseen: await unseenCopies(quickjs ?? minimal, size.unseen),
    rounds: size.forkRounds,
    forks: size.forks,
    crowd: size.crowd,
  });
  const { size: bytes } = await stat(join(directory, quickjs === undefined ? "minimal.wasm" : "quickjs.wasm"));
  report(answer, { megabytes: bytes / 1e6, crowd: size.crowd });
}

interface Of {
  /** Of the component that was never seen. */
  readonly megabytes: number;
  readonly crowd: number;
}

function report(answer: InsideAnswer, { megabytes, crowd }: Of): void {
  const { firstByte, requestUs, forkReadyUs, crowdUs, idleForkBytes } = answer;
  const line = (what: string, value: number | undefined, { goal, unit }: Goal, beside = ""): void => {
    if (value === undefined) return figure(what, "not asked", "the small size builds no engine for JavaScript");
    const share = `goal ${goal} ${unit}: ${(value / goal).toFixed(2)} of it`;
    figure(what, `${value.toFixed(unit === "KiB" ? 0 : 1)} ${unit}`, `${share}${beside}`);
  };
  const kib = (bytes: number | undefined): number | undefined => bytes && bytes / 1024;
  const one = `one more of ${crowd} that wait at once, until it waits`;
  if (crowdUs === undefined) figure(one, "not asked", "the small size builds no engine for JavaScript");
  else {
    const words = `of processor; ${crowdUs.answered.toFixed(0)} µs from then until it has answered`;
    figure(one, `${crowdUs.begun.toFixed(0)} µs`, words);
  }
  const ofProcessor = `; ${firstByte.processorMs.toFixed(1)} ms of processor`;
  line("a request, a fresh instance, without HTTP, p50", requestUs.minimal, { goal: 10, unit: "µs" });
  const words = "the same of a function with QuickJS";
  if (requestUs.quickJs === undefined) figure(words, "not asked", "the small size builds no engine for JavaScript");
  else figure(words, `${requestUs.quickJs.toFixed(1)} µs`, "samples/hello");
  line("a fork made ready, 1 MiB of memory, p50", forkReadyUs.oneMiB, { goal: 50, unit: "µs" });
  line("a fork made ready, StarlingMonkey, p50", forkReadyUs.starlingMonkey, { goal: 200, unit: "µs" });
  const what = `first byte, ${megabytes.toFixed(1)} MB never seen, on disk, p50`;
  line(what, firstByte.ms, { goal: 10, unit: "ms" }, ofProcessor);
  const idle: Goal = { goal: 64, unit: "KiB" };
  line("an idle fork beyond its written pages, minimal", kib(idleForkBytes.minimal), idle);
  line("an idle fork beyond its written pages, StarlingMonkey", kib(idleForkBytes.starlingMonkey), idle);
}

interface Goal {
  readonly goal: number;
  readonly unit: "µs" | "ms" | "KiB";
}
