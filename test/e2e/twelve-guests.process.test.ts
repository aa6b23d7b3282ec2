import { get } from "node:http";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { hostileComponent, tableComponent } from "../../runtime/host/testing/hostile-guests.ts";
import { spinningStartComponent } from "../../runtime/host/testing/components.ts";
import { tenantCpu, type TenantCpu } from "../support/tenant-cpu.ts";
import { sendCrowd } from "../support/h2-crowd.ts";
import { type Answer, eventually, Platform } from "../support/platform.ts";
import { needKubectl } from "../support/kubectl.ts";
import { Workshop } from "../support/workshop.ts";
import { besideBystander, deployBystander } from "./bystander.ts";

// Twelve guests that do harm, all at once, and a neighbour of another namespace under load that loses nothing by them.

let platform: Platform;
let workshop: Workshop;

interface Guest {
  readonly name: string;
  readonly image: "harm" | "tables" | "starts";
  readonly path: string;
  readonly flags?: readonly string[];
  /** Status and code of each of its requests, for whoever called. */
  readonly ends: RegExp;
}

// A second of CPU time is there within five on a machine that does nothing else; on another one the five may be over first.
const late =
  /^504 (?:GUEST_CPU: The function used more than 1s of CPU time\.|(?:GUEST|ANSWER)_TIMEOUT: The function did not answer)/;
const cpuTime = ["--annotation", "limits.shallop.dev/cpu-time=1s"];
const harm: Omit<Guest, "name" | "path" | "ends"> = { image: "harm", flags: cpuTime };
const guests: readonly Guest[] = [
  { ...harm, name: "spin", path: "/s", ends: late },
  { ...harm, name: "spin-in-start", image: "starts", path: "/", ends: late },
  { ...harm, name: "recursion", path: "/r", ends: /^502 GUEST_FAILED: / },
  { ...harm, name: "memory", path: "/m", ends: /^507 GUEST_MEMORY: The function used up its memory of 64Mi\.$/ },
  { ...harm, name: "tables", image: "tables", path: "/", ends: /^507 GUEST_TABLE: .* 100000 entries\.$/ },
  // No interrupt ends it in time: its process goes, and says before that why. Whoever comes next waits for another one.
  {
    ...harm,
    name: "fills",
    path: "/f",
    flags: [...cpuTime, "--memory", "1100Mi"],
    ends: new RegExp(`${late.source}|^503 START_TIMEOUT: `),
  },
  { ...harm, name: "handles", path: "/h", ends: /^507 GUEST_HANDLES: The function held 10000 handles/ },
  {
    ...harm,
    name: "headers",
    path: "/w",
    ends: /^507 GUEST_HEADERS: The function made more than 512 header fields\.$/,
  },
  { ...harm, name: "log", path: "/l", ends: late },
  { ...harm, name: "waits", path: "/p", ends: /^(?:504 (?:GUEST|ANSWER)_TIMEOUT|503 (?:REFUSED|QUEUE_\w+)): / },
  { ...harm, name: "output", path: "/o", ends: /^200 cut after much$/ },
  { ...harm, name: "traps", path: "/t", ends: /^502 GUEST_FAILED: / },
];

/** The one that nothing but the end of its process stops has a process of its own. */
const namespaceOf = ({ name }: Guest): string => (name === "fills" ? "fills" : "harm");

beforeAll(async () => {
  workshop = await Workshop.open();
  platform = await Platform.start();
  await deployBystander(platform, workshop);
  const components = { harm: hostileComponent, tables: tableComponent, starts: spinningStartComponent };
  for (const [name, make] of Object.entries(components)) {
    await workshop.publish(platform, name, { component: await make() });
  }
  const kubectl = await needKubectl(platform.kubeconfig);
  for (const name of ["harm", "fills"]) expect((await kubectl(["create", "namespace", name])).code).toBe(0);
  await Promise.all(
    guests.map((guest) =>
      platform.run(
        ...["deploy", guest.name, "--namespace", namespaceOf(guest), "--image", `${guest.image}:1`],
        ...["--memory", "64Mi", "--timeout", "5s", "--max-scale", "1", ...(guest.flags ?? [])],
      ),
    ),
  );
});
afterEach(async ({ task }) => {
  if (task.result?.state === "fail") console.log(await platform?.logs());
});
afterAll(async () => {
  await platform?.[Symbol.asyncDispose]();
  await workshop?.[Symbol.asyncDispose]();
});

const endOf = ({ status, body }: Answer): string => `${status} ${body.split("\n", 1)[0]}`;

/** How the request ended: status, code and sentence. */
async function call(guest: Guest): Promise<string> {
  const host = `${guest.name}.${namespaceOf(guest)}`;
  return guest.name === "output" ? drain(host, guest.path) : endOf(await platform.ask(host, guest.path));
}

/** Reads an answer for as long as it comes, and keeps none of it. */
function drain(host: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { host: `${host}.localhost` };
    const request = get({ port: platform.ports.gateway, host: "127.0.0.1", path, headers }, (message) => {
      let bytes = 0;
      message.on("data", (chunk: Buffer) => (bytes += chunk.length));
      message.on("error", () => undefined);
      message.once("close", () => {
        const how = message.complete ? "whole" : "cut";
        resolve(`${message.statusCode} ${how} after ${bytes > 65_536 ? "much" : "little"}`);
      });
    });
    request.once("error", reject);
  });
}

test("twelve guests at once: each one's caller is told why, and the neighbour loses nothing", async () => {
  const work = async (guest: Guest): Promise<{ readonly guest: Guest; readonly ends: readonly string[] }> => ({
    guest,
    ends: [await call(guest), await call(guest)],
  });
  const before = await tenantCpu(platform.dataDirectory);
  const beganMs = performance.now();
  const rounds = await besideBystander(platform, () => Promise.all(guests.map(work)));
  const elapsedMs = performance.now() - beganMs;
  const after = await tenantCpu(platform.dataDirectory);
  if (before !== undefined && after !== undefined) expectShares(before, after, elapsedMs);
  for (const { guest, ends } of rounds) {
    for (const end of ends) expect(end, guest.name).toMatch(guest.ends);
  }
});

/** The kernel gives each tenant's process its share of the processor and no more: what is not used up is the others'. */
function expectShares(
  before: ReadonlyMap<number, TenantCpu>,
  after: ReadonlyMap<number, TenantCpu>,
  elapsedMs: number,
): void {
  // The neighbour, and those that do harm but for the one whose process has ended meanwhile.
  expect(after.size).toBeGreaterThanOrEqual(2);
  let usedMs = 0;
  for (const [pid, { quota, weight, usedMs: nowMs }] of after) {
    const ofTenantMs = nowMs - (before.get(pid)?.usedMs ?? 0);
    usedMs += ofTenantMs;
    // A period of 100 ms may have begun before.
    expect(ofTenantMs, `host process ${pid} of ${quota} cores`).toBeLessThan(quota * (elapsedMs * 1.02 + 200));
    expect(weight, "what it may use and what it weighs are the same").toBeCloseTo(quota, 1);
  }
  // They were at work.
  expect(usedMs).toBeGreaterThan(1000);
}

test("ten thousand calls that wait: each is told that it took too long, or that there was no room for it", async () => {
  const crowd = { port: platform.ports.gateway, host: "waits.harm.localhost", path: "/p", requests: 10_000 };
  const { statuses, slowestMs } = await besideBystander(platform, () => sendCrowd(crowd));
  expect(Object.keys(statuses).toSorted()).toEqual(["503", "504"]);
  expect((statuses["503"] ?? 0) + (statuses["504"] ?? 0)).toBe(10_000);
  expect(slowestMs).toBeLessThan(60_000);
});

test("the events of their pods say which limits they met", async () => {
  const reasons = [...["GuestMemory", "GuestTable", "GuestHandles", "GuestHeaders", "GuestTimeout", "LogRate"]];
  let missing: readonly string[] = reasons;
  for (let tries = 0; tries < 20 && missing.length > 0; tries++) {
    const text = await platform.run("events", "--namespace", "harm");
    missing = reasons.filter((reason) => !text.includes(reason));
  }
  expect(missing).toEqual([]);
  expect(await platform.run("events", "--namespace", "fills")).toContain("GuestUnstoppable");
});

test("afterwards each of them can answer again, in the processes that were started anew", async () => {
  for (const guest of guests.filter(({ image }) => image === "harm")) {
    await eventually(`${guest.name} answers`, async () => {
      const { status } = await platform.ask(`${guest.name}.${namespaceOf(guest)}`, "/a");
      return status === 200 ? true : undefined;
    });
  }
});
