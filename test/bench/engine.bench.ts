import { createHash } from "node:crypto";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { putLoad } from "../support/load.ts";
import { cComponent, functionComponent, minimalComponent, prepared, unseenCopies } from "./engine-guests.ts";
import { type InsideTask, measureInside } from "./engine-inside.ts";
import { figure, median } from "./figures.ts";
import { answerOf, bareNode, type HttpPeer, jcoServe, shallopServe, workerd } from "./http-peers.ts";
import { processorMs } from "./processes.ts";

export interface EngineBenchSize {
  readonly rounds: number;
  readonly roundMs: number;
  /** With a peer that has to be fetched from the registry. */
  readonly withWorkerd: boolean;
  readonly forkRounds: number;
  readonly unseen: number;
  readonly forks: number;
}

export const largeEngineBench: EngineBenchSize = {
  rounds: 5,
  roundMs: 2000,
  withWorkerd: true,
  forkRounds: 400,
  unseen: 15,
  forks: 64,
};

export const smallEngineBench: EngineBenchSize = {
  rounds: 1,
  roundMs: 200,
  withWorkerd: false,
  forkRounds: 8,
  unseen: 2,
  forks: 4,
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
  const quickjs = await prepared("quickjs", await functionComponent("quickjs", directory), directory);
  const task: InsideTask = {
    minimal,
    oneMiB: await prepared("one-mib", await minimalComponent(16), directory),
    starlingMonkey: await prepared("starlingmonkey", await functionComponent("starlingmonkey", directory), directory),
    unseen: await unseenCopies(quickjs, size.unseen),
    rounds: size.forkRounds,
    forks: size.forks,
  };
  const { firstByte, forkReadyUs, idleForkBytes } = await measureInside(task);
  const megabytes = (await stat(join(directory, "quickjs.wasm"))).size / 1e6;
  const against = (value: number, goal: number, unit: string): string =>
    `goal ${goal} ${unit}: ${(value / goal).toFixed(2)} of it`;
  const us = (value: number): string => `${value.toFixed(1)} µs`;
  const kib = (bytes: number): string => `${(bytes / 1024).toFixed(0)} KiB`;
  figure("a fork made ready, 1 MiB of memory, p50", us(forkReadyUs.oneMiB), against(forkReadyUs.oneMiB, 50, "µs"));
  figure(
    "a fork made ready, StarlingMonkey, p50",
    us(forkReadyUs.starlingMonkey),
    against(forkReadyUs.starlingMonkey, 200, "µs"),
  );
  figure(
    `first byte, ${megabytes.toFixed(1)} MB never seen, on disk, p50`,
    `${firstByte.ms.toFixed(1)} ms`,
    `${against(firstByte.ms, 10, "ms")}; ${firstByte.processorMs.toFixed(1)} ms of processor`,
  );
  figure(
    "an idle fork beyond its written pages, minimal",
    kib(idleForkBytes.minimal),
    against(idleForkBytes.minimal / 1024, 64, "KiB"),
  );
  figure(
    "an idle fork beyond its written pages, StarlingMonkey",
    kib(idleForkBytes.starlingMonkey),
    against(idleForkBytes.starlingMonkey / 1024, 64, "KiB"),
  );
}
