import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createConnection } from "node:net";
import { type Clock, guestLimitDefaults, systemRandom } from "@shallop/sdk/internal";
import { type RequestHead, WireConnection } from "@shallop/sdk/wire";
import { componentEngine } from "../component/component-engine.ts";
import type { LoadedComponent, PreparedLinks } from "../component/engine.ts";
import { addressJudge } from "../component/egress/address-judge.ts";
import { Egress } from "../component/egress/egress.ts";
import { guestWatch } from "../component/instance/guest-watch.ts";
import { guestSettingsOf } from "./guest-settings.ts";
import { ParkedComponents } from "./parked-components.ts";
import { PodListener } from "./pod-listener.ts";
import { budgetFor, mapsMaxUsual, shareBudget, ThreadBudget } from "./process-budget.ts";
import { StandbySockets } from "./standby-sockets.ts";
import { ThreadClaim } from "./thread-claim.ts";
import { ThreadedPod } from "./threaded-pod.ts";
import { freshSlots, type ThreadEvent, type ThreadStart } from "./thread-protocol.ts";

const start: ThreadStart = {
  type: "start",
  uid: "",
  preparedDir: "",
  env: [],
  limits: {
    ...guestLimitDefaults,
    memoryBytes: 16 * 1024 * 1024,
    cpu: 1,
    pidsMax: 0,
    requestTimeoutMs: 1000,
    concurrencyMax: 0,
    startTimeoutMs: 1000,
  },
  egressAllowed: [],
  egressSocket: undefined,
  directories: [],
};

const linkRounds = 2;
// What is called this often V8 has compiled to machine code, without looking at it for long: more make a spare thread late, and the
// first request no sooner.
const lives = 5;
const requestsOfLife = 4;
const head: RequestHead = {
  method: "POST",
  target: "/",
  scheme: "http",
  authority: "warm-up",
  headers: ["accept", "*/*"],
  requestId: "",
  timeoutMs: 1000,
};

const body = Buffer.from("a body");

/** A guest, prepared. */
interface WarmUpGuest {
  readonly links: PreparedLinks;
  /** Core modules, in base64. */
  readonly modules: readonly string[];
}

function loadGuest(file: "warm-up-guest.json" | "warm-up-imports.json"): LoadedComponent {
  const text = readFileSync(new URL(file, import.meta.url), "utf8");
  const { links, modules } = JSON.parse(text) as WarmUpGuest;
  const compiled = modules.map((bytes) => new WebAssembly.Module(Buffer.from(bytes, "base64")));
  return componentEngine.load({ form: "linked", links, modules: compiled });
}

/**
 * What links a pod's component, and some whole lives of a pod with a small guest, from somebody who connects to what stands by to a
 * thread at rest. V8 compiles code when it is first used: a spare thread has the time for it, the first request of a pod has not.
 */
export async function warmUp(socketPath: string, clock: Clock): Promise<void> {
  await linkImports(clock);
  const parked = new ParkedComponents();
  await parkGuest(parked, clock);
  for (let life = 0; life < lives; life++) await live(`${socketPath}${life}`, parked, clock);
  parked.take(start)?.release?.();
  guestWatch.verdict = () => undefined;
}

/** A guest that imports all of WASI 0.2, as those do that a toolchain has made, and is not called. */
async function linkImports(clock: Clock): Promise<void> {
  for (let round = 0; round < linkRounds; round++) await startTwice(loadGuest("warm-up-imports.json"), clock);
}

async function parkGuest(parked: ParkedComponents, clock: Clock): Promise<void> {
  const component = loadGuest("warm-up-guest.json");
  await startTwice(component, clock);
  parked.park(start, component);
}

/** The second instance of a component is captured. */
async function startTwice(component: LoadedComponent, clock: Clock): Promise<void> {
  const egress = new Egress(addressJudge({ allowed: [] }));
  const output = { write: () => undefined, end: () => undefined };
  const settings = guestSettingsOf(start, { clock, random: systemRandom, egress, isShared: false }, () => output);
  for (const _ of ["first", "captured"]) (await component.instantiate(settings())).dispose();
}

/** As pod-thread-main.ts has it: stands by, is a pod, and rests. */
async function live(socketPath: string, parked: ParkedComponents, clock: Clock): Promise<void> {
  const slots = freshSlots();
  const budget = new ThreadBudget(shareBudget(budgetFor(mapsMaxUsual)), slots);
  const { promise: drained, resolve } = Promise.withResolvers<void>();
  const send = (event: ThreadEvent): void => {
    if (event.type === "drained") resolve();
  };
  let pod: ThreadedPod | undefined;
  const standbys = new StandbySockets(new ThreadClaim(), clock, (_, listener) => {
    pod = new ThreadedPod({ start, listener, slots, budget, send, parked });
    pod.serve({ type: "modules", modules: new Map() });
  });
  standbys.leave(new PodListener());
  await standbys.listen({ type: "stand-by", start, listenAt: `${socketPath}l`, socketPath });
  await callThrough(socketPath);
  void pod?.drain();
  await drained;
  pod?.end();
}

async function callThrough(socketPath: string): Promise<void> {
  const socket = createConnection(socketPath);
  await once(socket, "connect");
  const connection = new WireConnection(socket, { closed: () => undefined });
  for (let count = 0; count < requestsOfLife; count++) await request(connection);
  connection.destroy();
}

function request(connection: WireConnection): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const stream = connection.request(head, {
    data: (chunk) => stream.consumed(chunk.length),
    end: () => resolve(),
    failed: reject,
  });
  stream.write(body);
  stream.end();
  return promise;
}
