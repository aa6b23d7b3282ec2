// A thousand requests in random order and number at once through one component's forks, in a process of its own, whose flags
// choose how forks are put back. Arguments: the component, a directory for its files, requests, seed. Prints JSON: what any of them has seen of another.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { systemClock, systemRandom } from "@shallop/sdk/internal";
import { seededRandom } from "@shallop/sdk/internal/testing";
import { addressJudge } from "../egress/address-judge.ts";
import { Egress } from "../egress/egress.ts";
import type { GuestResponse } from "../engine.ts";
import { exposeState } from "../core-module/expose-state.ts";
import { pageCalls } from "../fork/page-calls.ts";
import { linkedEngine } from "../linked-engine.ts";
import { planLinks } from "../link/plan-links.ts";
import { ByteQueue } from "../wasi/byte-queue.ts";
import { guestBounds, type GuestSettings, noGrants } from "../wasi/guest-context.ts";
import { readReport, type Report, reportBytes } from "./witness.ts";

const [file = "", directory = "", requests = "0", seed = "0"] = process.argv.slice(2);
const chance = seededRandom(Number(seed));

let made = 0;
const guestModules = new Set<WebAssembly.Module>();
const Instance = WebAssembly.Instance;
WebAssembly.Instance = class extends Instance {
  constructor(module: WebAssembly.Module, imports?: object) {
    super(module, imports);
    if (guestModules.has(module)) made++;
  }
};

const { plan, modules } = planLinks(readFileSync(file));
const exposed = modules.map(exposeState);
const loaded = exposed.map(({ bytes }) => new WebAssembly.Module(bytes));
for (const module of loaded) guestModules.add(module);
const component = linkedEngine.load({
  form: "linked",
  links: { plan, states: exposed.map(({ state }) => state) },
  modules: loaded,
});
const settings: GuestSettings = {
  environment: [],
  ...noGrants,
  directories: [{ host: directory, guest: "/w", writable: true }],
  clock: systemClock,
  random: systemRandom,
  egress: new Egress(addressJudge()),
  log: () => undefined,
  ended: () => undefined,
  bounds: guestBounds,
};

/** One request; the report of its guest, if it came to that. `leaves`: its client does not wait for the end. */
async function request(target: string, leaves: boolean): Promise<Report | undefined> {
  const instance = await component.instantiate(settings);
  const body = new ByteQueue();
  body.end();
  const chunks: Uint8Array[] = [];
  const response: GuestResponse = {
    respond: () => undefined,
    body: {
      ready: () => true,
      capacity: () => 65_536,
      write: (bytes) => void chunks.push(bytes.slice()),
      flushed: () => true,
      failure: () => undefined,
      subscribe: () => () => undefined,
    },
    finish: () => undefined,
    fail: () => undefined,
  };
  const head = { method: "GET", target, scheme: "http", authority: "witness.test", headers: [] };
  const handled = instance.handle({ ...head, body }, response).catch(() => undefined);
  if (leaves) await new Promise(setImmediate);
  else await handled;
  instance.dispose();
  const bytes = Buffer.concat(chunks);
  return bytes.length === reportBytes ? readReport(bytes) : undefined;
}

// Timers of a guest that waits do not keep a process alive; this does.
new MessageChannel().port1.ref();
// What a guest sees that is alone in the world.
const first = await request("/a00000000", false);
const reports: Report[] = [];
let left = Number(requests);
const letters = "aaaawwwgxd";
let intruders = 0;

async function client(): Promise<void> {
  while (left > 0) {
    left--;
    const letter = letters[chance.below(letters.length)];
    const number = letter === "d" ? String.fromCharCode(48 + (first?.file ?? 0)) : chance.token(1);
    const report = await request(`/${letter}${number}${chance.token(7)}`, chance.below(20) === 0);
    if (report === undefined) continue;
    reports.push(report);
    if (letter === "d") intruders++;
    if (chance.below(8) === 0) await systemClock.sleep(chance.below(3));
  }
}
await Promise.all(Array.from({ length: 6 }, client));

const asFirst = ({ memory, pages, globals, isTableEmpty, tableEntries, handle, ...files }: Report): string =>
  [memory, pages, ...globals, isTableEmpty, tableEntries, handle, files.directory, files.file].join(" ");
/** Descriptors of this process that lead into the directory. */
const countOpenFiles = (): number =>
  readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(join("/proc/self/fd", fd)).startsWith(directory);
    } catch {
      return false;
    }
  }).length;
// One that was being opened when its request ended is closed when the system has opened it.
for (let tries = 0; tries < 500 && countOpenFiles() > 0; tries++) await systemClock.sleep(10);
const openFiles = countOpenFiles();
const maps = readFileSync("/proc/self/maps", "utf8");
process.stdout.write(
  JSON.stringify({
    reports: reports.length,
    /** Beside what the first one has seen. */
    states: [...new Set(reports.map(asFirst))].filter((state) => first === undefined || state !== asFirst(first)),
    /** Requests that have found a descriptor which they had not opened. */
    intruders,
    openFiles,
    files: readdirSync(directory).length,
    chances: new Set(reports.map((report) => report.chance)).size,
    seeds: new Set(reports.map((report) => report.seed)).size,
    clockGoesOn: reports.every(({ nowNs }) => first !== undefined && nowNs >= first.nowNs),
    clocks: new Set(reports.map(({ nowNs }) => nowNs)).size,
    made,
    way: pageCalls() === undefined ? "copied" : maps.includes("memfd:shallop-image") ? "mapped" : "made anew",
  }),
);
process.exit(0);
