import { existsSync } from "node:fs";
import { chown, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { whoScript } from "../support/behaviours.ts";
import { publishBusybox } from "../support/busybox.ts";
import { processesWith, runDirectoryOf } from "../support/inventory.ts";
import { Platform, shallop } from "../support/platform.ts";
import { callSteadily } from "../support/steady-caller.ts";
import { Workshop } from "../support/workshop.ts";

// What an ordinary user has of a platform: pods of both kinds, by no right of the machine's, and nothing left afterwards.

/** In nobody's list of users, and without subordinate ids. */
const user = process.getuid?.() === 0 ? 54_321 : undefined;

let platform: Platform;
let workshop: Workshop;
let home: string;

beforeAll(async () => {
  workshop = await Workshop.open();
  home = await mkdtemp(join(tmpdir(), "shallop-home-"));
  if (user !== undefined) await chown(home, user, user);
  const environment = { HOME: home, XDG_CACHE_HOME: join(home, "cache") };
  platform = await Platform.start({ environment, ...(user === undefined ? {} : { user }) });
}, 120_000);
afterEach(async ({ task }) => {
  if (task.result?.state === "fail") console.log(await platform.logs());
});
afterAll(async () => {
  await platform[Symbol.asyncDispose]();
  await workshop[Symbol.asyncDispose]();
  await rm(home, { recursive: true });
});

/** Images are built by who runs the tests, with what he has built before, and pushed as to any registry. */
const builder = () => ({
  run: async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await shallop([...args, "--data", join(workshop.directory, "data")]);
    if (code !== 0) throw new Error(stdout + stderr);
    return stdout;
  },
});

const inPod = (pod: string, ...command: readonly string[]) =>
  shallop(["exec", "--data", platform.dataDirectory, pod, "--", ...command]);

const podOf = async (service: string): Promise<string> => {
  const { pods } = JSON.parse(await platform.run("describe", service, "-o", "json")) as {
    pods: { metadata: { name: string } }[];
  };
  return pods[0]?.metadata.name ?? "";
};

test("a native pod answers through the gateway, and commands run in it as nobody of the machine", async () => {
  expect(platform.output).toMatch(/variants +wasm, native/);
  expect(platform.output).toMatch(/missing .*native pods run as this user.*limits of CPU and memory.*cannot be held/);
  const image = await publishBusybox(builder(), workshop.directory, `127.0.0.1:${platform.ports.registry}/`);
  await platform.run("deploy", "web", "--image", image, "--min-scale", "1");
  expect(await platform.ask("web.default")).toMatchObject({ status: 200, body: "hello from busybox\n" });
  const pod = await podOf("web");
  const { stdout, code } = await inPod(pod, "sh", "-c", "id -u; cat /proc/self/uid_map; exit 3");
  expect([stdout.trim().split(/\s+/), code]).toEqual([["0", "0", "0", "1"], 3]);
});

test("it has names, and goes out by the node's proxy, which judges", async () => {
  const pod = await podOf("web");
  const names = await inPod(pod, "nslookup", "kubernetes.default.svc.cluster.local");
  expect(names.stdout).toContain("10.96.0.1");
  const forbidden = await inPod(pod, "sh", "-c", "wget -q -O - http://169.254.169.254/ 2>&1");
  expect(forbidden.stdout).toContain("403 Forbidden");
});

test("the agent's death costs no request, and the next one has the pod again", async () => {
  const pod = await podOf("web");
  const agents = await processesWith([`runtime/main.ts\0--data\0${platform.dataDirectory}`]);
  expect(agents).toHaveLength(1);
  const caller = callSteadily(platform, "web.default");
  for (const { pid } of agents) process.kill(pid, "SIGKILL");
  await expect.poll(() => platform.output).toContain("node-agent is back");
  const { requests, failed, said } = await caller.stop();
  expect([failed, said]).toEqual([0, expect.anything()]);
  expect(requests).toBeGreaterThan(0);
  expect(await inPod(pod, "id", "-u")).toMatchObject({ code: 0, stdout: "0\n" });
});

test("the keeper's death ends its pods, and others come up in new namespaces", async () => {
  const keepers = async () =>
    (await processesWith([runDirectoryOf(platform.dataDirectory, user)])).filter(({ command }) =>
      command.includes("keeper-main.ts"),
    );
  const [before] = await keepers();
  process.kill(before?.pid ?? 0, "SIGKILL");
  await expect.poll(async () => (await keepers()).map(({ pid }) => pid !== before?.pid)).toEqual([true]);
  await expect.poll(async () => (await platform.ask("web.default")).status).toBe(200);
});

test("a component answers beside it", async () => {
  const directory = await workshop.write("who", { script: whoScript });
  const image = `127.0.0.1:${platform.ports.registry}/who:1`;
  await builder().run("build", directory, "--tag", image, "--push");
  await platform.run("deploy", "who", "--image", image, "--env", "WHO=component");
  expect(await platform.ask("who.default")).toMatchObject({ status: 200, body: expect.stringContaining("component") });
});

test("a stop leaves nothing", async () => {
  const run = runDirectoryOf(platform.dataDirectory, user);
  const ours = () => processesWith([platform.dataDirectory, run]);
  expect((await ours()).some(({ command }) => command.includes("keeper-main.ts"))).toBe(true);
  await platform.stop();
  await expect.poll(ours).toEqual([]);
  expect(existsSync(run)).toBe(false);
  expect(await readdir(join(platform.dataDirectory, "node/native/pods"))).toEqual([]);
});
