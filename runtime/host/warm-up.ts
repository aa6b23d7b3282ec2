import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createConnection } from "node:net";
import { type Clock, guestLimitDefaults, systemRandom } from "@shallop/sdk/internal";
import { type RequestHead, WireConnection } from "@shallop/sdk/wire";
import { componentEngine } from "../component/component-engine.ts";
import type { LoadedComponent, PreparedLinks } from "../component/engine.ts";
import { addressJudge } from "../component/egress/address-judge.ts";
import { Egress } from "../component/egress/egress.ts";
import { guestSettingsOf } from "./guest-settings.ts";
import { LogRelay } from "./log-relay.ts";
import { PodListener } from "./pod-listener.ts";
import { PodServer } from "./pod-server.ts";
import { freshSlots, type ThreadStart } from "./thread-protocol.ts";

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

const rounds = 3;
const linkRounds = 2;
const head: RequestHead = {
  method: "GET",
  target: "/",
  scheme: "http",
  authority: "warm-up",
  headers: ["accept", "*/*"],
  requestId: "",
  timeoutMs: 1000,
};

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
 * What links a pod's component, and requests over a real socket through the whole of this thread's code and a small guest. V8
 * compiles code when it is first used: a spare thread has the time for it, the first request of a pod has not.
 */
export async function warmUp(socketPath: string, clock: Clock): Promise<void> {
  const relay = new LogRelay({ clock, send: () => undefined });
  await linkImports(clock, relay);
  await serveRequests(socketPath, clock, relay);
}

/** A guest that imports all of WASI 0.2, as those do that a toolchain has made, and is not called. */
async function linkImports(clock: Clock, relay: LogRelay): Promise<void> {
  const egress = new Egress(addressJudge({ allowed: [] }));
  const given = { clock, random: systemRandom, egress, isShared: false };
  const settings = guestSettingsOf(start, given, () => relay.writer());
  for (let round = 0; round < linkRounds; round++) {
    const component = loadGuest("warm-up-imports.json");
    // The second instance of a component is captured.
    for (const _ of ["first", "captured"]) (await component.instantiate(settings())).dispose();
  }
}

async function serveRequests(socketPath: string, clock: Clock, relay: LogRelay): Promise<void> {
  const listener = new PodListener();
  await once(listener.server.listen(socketPath), "listening");
  const server = new PodServer({
    start,
    listener,
    component: loadGuest("warm-up-guest.json"),
    clock,
    relay,
    slots: freshSlots(),
    breached: () => undefined,
    begun: () => undefined,
    served: () => undefined,
    warmed: () => undefined,
  });
  try {
    const socket = createConnection(socketPath);
    await once(socket, "connect");
    const connection = new WireConnection(socket, { closed: () => undefined });
    // The second finds a waiting instance, and the third one that was used before.
    for (let round = 0; round < rounds; round++) await request(connection);
    connection.destroy();
  } finally {
    await server.close();
  }
}

function request(connection: WireConnection): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const stream = connection.request(head, {
    data: (chunk) => stream.consumed(chunk.length),
    end: () => resolve(),
    failed: reject,
  });
  stream.end();
  return promise;
}
