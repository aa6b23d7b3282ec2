import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { once } from "node:events";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Explanation } from "../../sdk/wire/index.ts";
import { WebSocket } from "ws";
import { whoScript } from "../support/behaviours.ts";
import { type Inventory, inventoryOf } from "../support/inventory.ts";
import { eventually, freePorts, Platform, shallop } from "../support/platform.ts";
import { GatewayLoad } from "../support/gateway-load.ts";
import { callSteadily } from "../support/steady-caller.ts";
import { Workshop } from "../support/workshop.ts";

// Anything may be killed at any time. What was deployed is served again, what ran is taken over or replaced, and nothing
// is left lying about.

const autoscaler = ["stable-window=6s", "scale-to-zero-grace-period=6s", "allow-zero-initial-scale=true"];
let platform: Platform;
let workshop: Workshop;
let native = false;

beforeAll(async () => {
  workshop = await Workshop.open();
  platform = await Platform.start({ autoscaler });
  native = (await status()).nodes[0]?.native === "yes";
  const image = await workshop.publish(platform, "kept", { script: whoScript });
  await platform.run("deploy", "kept", "--image", image, "--env", "WHO=kept", "--min-scale", "1", "--max-scale", "1");
  if (!native) return;
  const script = "export default { fetch: () => new Response('kept\\n') };";
  await workshop.publish(platform, "keptnative", { native: script });
  await platform.run("deploy", "keptnative", "--image", "keptnative:1", "--min-scale", "1", "--max-scale", "1");
});
afterEach(async ({ task }) => {
  if (task.result?.state === "fail") console.log(await platform?.logs());
});
afterAll(async () => {
  await platform?.[Symbol.asyncDispose]();
  await workshop?.[Symbol.asyncDispose]();
});

interface Status {
  readonly programs: readonly {
    readonly name: string;
    readonly pid: number;
    readonly restarts: number;
    readonly state: string;
  }[];
  readonly nodes: readonly { readonly native: string; readonly ready: string }[];
}

const status = async (): Promise<Status> => JSON.parse(await platform.run("status", "-o", "json")) as Status;

async function programOf(name: string) {
  const program = (await platform.programs()).find((candidate) => candidate.name === name);
  if (program?.pid === undefined) throw new Error(`there is no ${name}`);
  return { ...program, pid: program.pid };
}

const services = (): readonly string[] => (native ? ["kept", "keptnative"] : ["kept"]);

/** Both services answer, five times in a row. */
async function expectServed(): Promise<void> {
  for (const service of services()) {
    let row = 0;
    await eventually(`${service} answers`, async () => {
      const answer = await platform.ask(`${service}.default`).catch(() => undefined);
      row = answer?.status === 200 && answer.body === "kept\n" ? row + 1 : 0;
      return row >= 5 ? true : undefined;
    });
  }
}

/** What there is to count of a node that has settled: one pod of each service, and what they need. */
const countsOf = (inventory: Inventory): object => ({
  hostProcesses: inventory.hostProcesses.length,
  containers: inventory.containers.length,
  // How many are made ahead is the node's own affair: fewer while it is busy.
  networkNamespaces: inventory.networkNamespaces.length - inventory.spareNetworks.length,
  links: inventory.links.length - inventory.spareNetworks.length,
  cgroups: inventory.cgroups.length,
  sockets: inventory.sockets.length,
});

async function expectNothingLeaked(before: object): Promise<void> {
  let last: object = {};
  await eventually("the node holds as much as before", async () => {
    last = countsOf(await inventoryOf(platform.dataDirectory));
    return JSON.stringify(last) === JSON.stringify(before) ? true : undefined;
  }).catch(() => expect(last).toEqual(before));
}

const settled = async (): Promise<object> => {
  await expectServed();
  // A node that has just started keeps making spare processes and networks for a moment.
  let last = "";
  let same = 0;
  return eventually("the node holds the same for a second", async () => {
    const counts = countsOf(await inventoryOf(platform.dataDirectory));
    same = JSON.stringify(counts) === last ? same + 1 : 0;
    last = JSON.stringify(counts);
    await new Promise((resolve) => setTimeout(resolve, 200));
    return same >= 5 ? counts : undefined;
  });
};

test.each([
  ["control-plane", 0],
  ["node-agent", 0],
])("kill -9 of the %s: restarted, and no request notices", async (name, failedMax) => {
  const before = await settled();
  const { pid, restarts } = await programOf(name);
  const callers = services().map((service) => callSteadily(platform, `${service}.default`, { connections: 2 }));
  process.kill(pid, "SIGKILL");
  await eventually(`${name} is back`, async () => {
    const now = await programOf(name).catch(() => undefined);
    return now?.state === "ready" && now.restarts === restarts + 1 && now.pid !== pid ? true : undefined;
  });
  await expectServed();
  for (const caller of callers) {
    const { failed, said } = await caller.stop();
    expect(failed, said).toBeLessThanOrEqual(failedMax);
  }
  await expectNothingLeaked(before);
  // Not only what was there goes on: something new can be deployed, and deleted.
  await platform.run("deploy", "fresh", "--image", "kept:1", "--env", "WHO=fresh");
  expect((await platform.ask("fresh.default")).body).toBe("fresh\n");
  await platform.run("delete", "fresh");
  await expectNothingLeaked(before);
});

test("a burst of slow requests at a cold function, while the control plane stands still: its node makes pods for it", async () => {
  const before = await settled();
  const script = `export default { fetch: async (request) => {
    await new Promise((resolve) => setTimeout(resolve, 300));
    return new Response(new URL(request.url).searchParams.get("id"));
  } };`;
  const image = await workshop.publish(platform, "burst", { script });
  await platform.run("deploy", "burst", "--image", image, "--annotation", "autoscaling.knative.dev/initial-scale=0");
  const { pid } = await programOf("control-plane");
  process.kill(pid, "SIGSTOP");
  const ids = Array.from({ length: 200 }, (_none, index) => `request-${index}`);
  try {
    const answers = await Promise.all(ids.map((id) => platform.ask("burst.default", `/?id=${id}`)));
    expect(answers.map(({ status: code, body }) => `${code} ${body}`)).toEqual(ids.map((id) => `200 ${id}`));
  } finally {
    process.kill(pid, "SIGCONT");
  }
  // 200 requests by 70 a pod, of which two have room for all. The autoscaler has had no part in it, and keeps what it finds.
  await eventually("the API shows the pods that the node made", async () => {
    const { revisions } = JSON.parse(await platform.run("explain", "burst", "-o", "json")) as Explanation;
    return (revisions[0]?.placements.length ?? 0) >= 2 ? true : undefined;
  });
  await platform.run("delete", "burst");
  await expectNothingLeaked(before);
});

test("kill -9 of the gateway: restarted, and serves what it served", async () => {
  const before = await settled();
  const { pid, restarts } = await programOf("gateway");
  process.kill(pid, "SIGKILL");
  await eventually("it is gone", () => Promise.resolve(isAlive(pid) ? undefined : true));
  // Who connects now is not refused, and waits for the next one.
  expect((await platform.ask("kept.default")).status).toBe(200);
  await expectServed();
  expect((await programOf("gateway")).restarts).toBe(restarts + 1);
  await expectNothingLeaked(before);
});

const socketScript = `export default {
  fetch: async (request) => {
    const ms = Number(new URL(request.url).searchParams.get("ms") ?? 0);
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
    return new Response(String((await request.arrayBuffer()).byteLength));
  },
  websocket: {
    open: (ws) => { ws.data = 0; },
    message: (ws, data) => { ws.data += 1; ws.send(ws.data + " " + data); },
  },
};`;

test("SIGHUP replaces the gateway: no request fails, and held WebSockets are told to come again", async () => {
  const image = await workshop.publish(platform, "sockets", { script: socketScript });
  await platform.run("deploy", "sockets", "--image", image);
  const { pid } = await programOf("gateway");
  const url = `127.0.0.1:${platform.ports.gateway}`;
  const socket = new WebSocket(`ws://${url}/`, { headers: { host: "sockets.default.localhost" } });
  const heard: string[] = [];
  socket.on("message", (data: Buffer) => heard.push(data.toString()));
  const closed = new Promise<number>((resolve) => socket.on("close", resolve));
  await once(socket, "open");
  for (const word of ["a", "b"]) socket.send(word);
  await eventually("both messages are answered", () => Promise.resolve(heard.length === 2 ? true : undefined));
  expect(heard).toEqual(["1 a", "2 b"]);

  const load = new GatewayLoad(url, "sockets.default.localhost");
  const slow = load.once("/?ms=2500");
  const upload = load.once("/", Buffer.alloc(1024 * 1024));
  process.kill(pid, "SIGHUP");
  await eventually("another gateway runs", async () => ((await programOf("gateway")).pid === pid ? undefined : true));
  expect(await closed).toBe(1012);
  expect([await slow, await upload]).toEqual(["0", String(1024 * 1024)]);
  const { answered, failures } = await load.stop();
  expect(failures).toEqual([]);
  await eventually("the old one has ended", () => Promise.resolve(isAlive(pid) ? undefined : true));
  expect(answered).toBeGreaterThan(50);
  await platform.run("delete", "sockets");
});

test("kill -9 of the host processes: their pods come up again", async () => {
  const before = await settled();
  for (const pid of (await inventoryOf(platform.dataDirectory)).hostProcesses) process.kill(pid, "SIGKILL");
  await expectServed();
  await expectNothingLeaked(before);
});

test("kill -9 of everything at once, but the supervisor", async () => {
  const before = await settled();
  const { programs } = await status();
  for (const { pid } of programs) process.kill(pid, "SIGKILL");
  for (const pid of (await inventoryOf(platform.dataDirectory)).hostProcesses) process.kill(pid, "SIGKILL");
  await expectServed();
  await expectNothingLeaked(before);
});

test("a second up on the same data directory says so, and which flag helps", async () => {
  const ports = await freePorts();
  const { code, stderr } = await shallop(upArgs(platform.dataDirectory, ports));
  expect(stderr).toMatch(/^error: a platform runs on .* already \(process \d+\); .*--data DIR.* \[DATA_IN_USE\]\n$/);
  expect(code).toBe(1);
});

const upArgs = (dataDirectory: string, ports: Platform["ports"]): string[] => [
  ...["up", "--data", dataDirectory, "--port", String(ports.gateway), "--api-port", String(ports.api)],
  ...["--registry-port", String(ports.registry), "--agent-port", String(ports.agent)],
];

test.each([
  ["gateway", "--port"],
  ["api", "--api-port"],
  ["registry", "--registry-port"],
  ["agent", "--agent-port"],
] as const)("the port of the %s is in use: one sentence that names %s", async (which, flag) => {
  const directory = await mkdtemp(join(tmpdir(), "shallop-taken-"));
  const ports = await freePorts();
  const squatter = createServer();
  await new Promise<void>((resolve) => squatter.listen(ports[which], "127.0.0.1", resolve));
  try {
    const { code, stderr } = await shallop(upArgs(directory, ports));
    expect(stderr).toMatch(
      new RegExp(`^error: port ${ports[which]} for .* is in use; .* ${flag} PORT \\[PORT_IN_USE\\]\\n$`),
    );
    expect(code).toBe(1);
  } finally {
    squatter.close();
    await rm(directory, { recursive: true, force: true });
  }
});

test("a data directory that cannot be written: one sentence that names --data", async () => {
  const parent = await mkdtemp(join(tmpdir(), "shallop-unwritable-"));
  try {
    // Root may write anywhere but below a file.
    await writeFile(join(parent, "file"), "");
    await mkdir(join(parent, "locked"));
    await chmod(join(parent, "locked"), 0o500);
    const directory = join(parent, process.getuid?.() === 0 ? "file" : "locked", "data");
    const { code, stderr } = await shallop(upArgs(directory, await freePorts()));
    expect(stderr).toMatch(/^error: the data directory .* cannot be written .*--data DIR.* \[DATA_UNWRITABLE\]\n$/);
    expect(code).toBe(1);
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
});

test("kill -9 of the supervisor, and up again on the same data directory: everything is served again", async () => {
  const before = await settled();
  await platform.kill();
  platform = await Platform.start({ autoscaler, dataDirectory: platform.dataDirectory, ports: platform.ports });
  await expectServed();
  await expectNothingLeaked(before);
});

test("down stops everything and leaves nothing but the data directory", async () => {
  expect(await platform.run("down")).toContain("stopped");
  await expectNothingLeft();
  await expect(platform.ask("kept.default")).rejects.toThrow();
});

test("up after down serves what was deployed", async () => {
  platform = await Platform.start({ autoscaler, dataDirectory: platform.dataDirectory, ports: platform.ports });
  await expectServed();
});

test("down after a killed supervisor removes what it left", async () => {
  await platform.kill();
  expect((await platform.shallop("down")).code).toBe(0);
  await expectNothingLeft();
});

async function expectNothingLeft(): Promise<void> {
  let last: Inventory | undefined;
  await eventually("nothing is left", async () => {
    last = await inventoryOf(platform.dataDirectory);
    const { processes, networkNamespaces, links, cgroups } = last;
    return processes.length + networkNamespaces.length + links.length + cgroups.length === 0 ? true : undefined;
  }).catch(() => expect(last).toEqual({ processes: [], networkNamespaces: [], links: [], cgroups: [] }));
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
