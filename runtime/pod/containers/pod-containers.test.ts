import { FakeClock } from "@shallop/sdk/internal/testing";
import { guestLimitDefaults } from "@shallop/sdk/internal";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import type { PodExit, PodLimits } from "../pod-runtime.ts";
import type { EndedRun } from "../pod-state.ts";
import { podSecurity } from "../pod-security.ts";
import { carryOut } from "./action.ts";
import type { CheckLog } from "./check-log.ts";
import type { ContainerLaunch, PodPlan, Probe } from "./container-launch.ts";
import type { ContainerRun, FoundContainer } from "./container-run.ts";
import type { ContainerView } from "./container-view.ts";
import { PodContainers } from "./pod-containers.ts";
import { isRestarted } from "./restart-rule.ts";

const limits: PodLimits = {
  ...guestLimitDefaults,
  memoryBytes: 1 << 20,
  cpu: 1,
  pidsMax: 10,
  requestTimeoutMs: 1,
  concurrencyMax: 0,
  startTimeoutMs: 1,
};

const launch = (name: string, options: Partial<ContainerLaunch> = {}): ContainerLaunch => ({
  name,
  kind: "main",
  image: {
    variant: "native",
    digest: `sha256:${"0".repeat(64)}`,
    layerPaths: [],
    sizeBytes: 0,
    config: { env: [], entrypoint: [], cmd: [], workingDir: "", user: "", exposedPorts: [] },
  },
  imageId: "registry/image@sha256:0",
  env: [],
  limits,
  security: podSecurity({ containers: [] }, { image: "" }),
  mounts: [],
  streams: { stdin: false, stdinOnce: false, tty: false },
  ...options,
});

/** A container that ends when the test says so, and whose commands answer what the test says. */
class FakeRun implements ContainerRun {
  readonly id: string;
  readonly address = "127.0.0.1";
  readonly startedWallMs = 0;
  readonly ended: Promise<PodExit>;
  exit: (exitCode: number, reason?: string) => void = () => undefined;
  readonly commands: string[] = [];
  execCode = 0;
  said = "";

  constructor(id: string, trace: string[], graceExit: boolean) {
    this.id = id;
    this.ended = new Promise((resolve) => {
      this.exit = (exitCode, reason = exitCode === 0 ? "Completed" : "Error") =>
        resolve({ exitCode, reason, message: "" });
    });
    this.stop = async (graceMs) => {
      trace.push(`stop ${id}`);
      this.exit(graceExit && graceMs > 0 ? 0 : 137);
      await this.ended;
    };
  }

  readonly stop: (graceMs: number) => Promise<void>;

  async exec(command: readonly string[]): Promise<never> {
    this.commands.push(command.join(" "));
    const { PassThrough } = await import("node:stream");
    const stdout = new PassThrough();
    stdout.end(this.said);
    const ended = new Promise((resolve) => stdout.once("end", () => resolve(this.execCode)));
    const process = { stdin: undefined, stdout, stderr: undefined, ended };
    return { ...process, resize: () => Promise.resolve(), leave: () => undefined } as never;
  }
}

class World {
  readonly clock = new FakeClock();
  readonly trace: string[] = [];
  readonly reasons: string[] = [];
  readonly runs = new Map<string, FakeRun>();
  views: readonly ContainerView[] = [];
  readonly containers: PodContainers;
  readonly over: Promise<PodExit>;

  constructor(plan: Partial<PodPlan> & Pick<PodPlan, "containers">, found?: ReadonlyMap<string, FoundContainer>) {
    this.containers = new PodContainers({
      plan: { volumes: [], restart: "Always", graceMs: 1000, ...plan },
      clock: this.clock,
      starter: {
        start: async ({ name }, restartCount) => {
          this.trace.push(`start ${name}`);
          const run = new FakeRun(`${name}#${String(restartCount)}`, this.trace, true);
          this.runs.set(name, run);
          return run;
        },
      },
      changed: (views) => (this.views = views),
      noticed: ({ reason }) => this.reasons.push(reason),
    });
    this.over = this.containers.run(found);
  }

  /** Lets everything happen that waits for nothing but time. */
  async pass(ms = 0): Promise<void> {
    await this.clock.advance(ms);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }

  view(name: string): ContainerView {
    const view = this.views.find((one) => one.name === name);
    if (view === undefined) throw new Error(`no container ${name}`);
    return view;
  }
}

test("init containers one after the other, a sidecar from its place on, then the others; sidecars end last", async () => {
  const world = new World({
    containers: [
      launch("first", { kind: "init" }),
      launch("proxy", { kind: "sidecar" }),
      launch("second", { kind: "init" }),
      launch("app"),
      launch("helper"),
    ],
  });
  await world.pass();
  expect(world.trace).toEqual(["start first"]);
  expect(world.view("app").now).toEqual({ phase: "waiting", reason: "PodInitializing" });
  world.runs.get("first")?.exit(0);
  await world.pass();
  expect(world.trace).toEqual(["start first", "start proxy", "start second"]);
  world.runs.get("second")?.exit(0);
  await world.pass();
  expect(world.trace.slice(3).toSorted()).toEqual(["start app", "start helper"]);
  expect(world.views.map(({ ready }) => ready)).toEqual([true, true, true, true, true]);
  await world.containers.stop(1000);
  expect(world.trace.slice(5).toSorted().slice(0, 2)).toEqual(["stop app#0", "stop helper#0"]);
  expect(world.trace.at(-1)).toBe("stop proxy#0");
  expect(await world.over).toMatchObject({ exitCode: 0 });
});

test("a container that ends is started again at once, then with growing pauses; the others run on", async () => {
  const world = new World({ containers: [launch("app"), launch("other")] });
  await world.pass();
  world.runs.get("app")?.exit(7);
  await world.pass();
  expect(world.view("app")).toMatchObject({ restartCount: 1, last: { exitCode: 7, reason: "Error" }, ready: true });
  world.runs.get("app")?.exit(7);
  await world.pass();
  expect(world.view("app").now).toMatchObject({ phase: "waiting", reason: "CrashLoopBackOff" });
  expect(world.reasons).toContain("BackOff");
  await world.pass(10_000);
  expect(world.view("app")).toMatchObject({ restartCount: 2, now: { phase: "running" } });
  expect(world.trace.filter((line) => line.includes("other"))).toEqual(["start other"]);
  await world.containers.stop(0);
});

test("with Never and OnFailure the pod is over when its containers are, as the worst of them", async () => {
  const never = new World({ restart: "Never", containers: [launch("good"), launch("bad")] });
  await never.pass();
  never.runs.get("bad")?.exit(3);
  never.runs.get("good")?.exit(0);
  expect(await never.over).toMatchObject({ exitCode: 3 });
  expect(never.view("bad").now).toMatchObject({ phase: "ended", run: { exitCode: 3 } });

  const onFailure = new World({ restart: "OnFailure", containers: [launch("job")] });
  await onFailure.pass();
  onFailure.runs.get("job")?.exit(1);
  await onFailure.pass();
  expect(onFailure.view("job").restartCount).toBe(1);
  onFailure.runs.get("job")?.exit(0);
  expect(await onFailure.over).toMatchObject({ exitCode: 0 });
});

test("an init container that fails for good ends the pod, and nothing else begins", async () => {
  const world = new World({ restart: "Never", containers: [launch("init", { kind: "init" }), launch("app")] });
  await world.pass();
  world.runs.get("init")?.exit(2);
  expect(await world.over).toMatchObject({ exitCode: 2 });
  expect(world.trace).toEqual(["start init"]);
});

const probe = (options: Partial<Probe> = {}): Probe => ({
  action: { kind: "exec", command: ["check"] },
  initialDelayMs: 0,
  periodMs: 1000,
  timeoutMs: 1000,
  successThreshold: 1,
  failureThreshold: 2,
  ...options,
});

test("readiness comes and goes with its probe", async () => {
  const world = new World({ containers: [launch("app", { readiness: probe() })] });
  await world.pass();
  expect(world.view("app").ready).toBe(true);
  world.runs.get("app")!.execCode = 1;
  await world.pass(1000);
  expect(world.view("app").ready).toBe(true);
  await world.pass(1000);
  expect(world.view("app").ready).toBe(false);
  expect(world.reasons).toContain("Unhealthy");
  const checks = (): CheckLog => world.view("app").checks!;
  expect(checks().failingStreak).toBe(2);
  expect(checks().results.map(({ exitCode }) => exitCode)).toEqual([0, 1, 1]);
  world.runs.get("app")!.execCode = 0;
  world.runs.get("app")!.said = "x".repeat(5000);
  await world.pass(1000);
  expect(world.view("app").ready).toBe(true);
  for (const _ of [1, 2, 3]) await world.pass(1000);
  expect(checks().failingStreak).toBe(0);
  expect(checks().results.map(({ output }) => output.length)).toEqual([0, 4096, 4096, 4096, 4096]);
  await world.containers.stop(0);
});

test("a container that fails its liveness probe is ended and started again", async () => {
  const world = new World({ containers: [launch("app", { liveness: probe() })] });
  await world.pass();
  world.runs.get("app")!.execCode = 1;
  await world.pass(1000);
  await world.pass(1000);
  expect(world.trace).toEqual(["start app", "stop app#0", "start app"]);
  expect(world.reasons).toContain("Killing");
  await world.containers.stop(0);
});

test("liveness waits for the startup probe", async () => {
  const startup = probe({ failureThreshold: 10 });
  const world = new World({ containers: [launch("app", { startup, liveness: probe({ failureThreshold: 1 }) })] });
  world.clock.after(0, () => undefined);
  await Promise.resolve();
  await world.pass();
  // The first look succeeded at once: it is started, and lives.
  expect(world.view("app")).toMatchObject({ started: true, ready: true });
  await world.containers.stop(0);
});

test("hooks: postStart before it counts as running, preStop before it is asked to end", async () => {
  const postStart = { kind: "exec", command: ["hello"] } as const;
  const preStop = { kind: "exec", command: ["bye"] } as const;
  const world = new World({ containers: [launch("app", { postStart, preStop })] });
  await world.pass();
  const run = world.runs.get("app");
  expect(run?.commands).toEqual(["hello"]);
  await world.containers.stop(1000);
  expect(run?.commands).toEqual(["hello", "bye"]);
  expect(world.trace).toEqual(["start app", "stop app#0"]);
});

test("after a restart of the agent: what runs goes on, what ended meanwhile is told and started again, init is not", async () => {
  const trace: string[] = [];
  const run = new FakeRun("app#4", trace, true);
  const ended = (exitCode: number): EndedRun => ({ exitCode, reason: "Error", message: "", finishedWallMs: 2 });
  const found = new Map<string, FoundContainer>([
    ["app", { kind: "running", run, restartCount: 4, last: ended(7) }],
    ["gone", { kind: "ended", run: ended(9), restartCount: 2 }],
  ]);
  const world = new World({ containers: [launch("init", { kind: "init" }), launch("app"), launch("gone")] }, found);
  await world.pass();
  expect(world.trace).toEqual(["start gone"]);
  const running = { restartCount: 4, now: { phase: "running" }, ready: true, last: ended(7) };
  expect(world.view("app")).toMatchObject(running);
  expect(world.view("gone")).toMatchObject({ restartCount: 3, last: ended(9) });
  expect(world.view("init").now).toMatchObject({ phase: "ended", run: { exitCode: 0 } });
  await world.containers.stop(0);
});

test.each([
  ["main", "Always", 0, true],
  ["main", "OnFailure", 0, false],
  ["main", "OnFailure", 1, true],
  ["main", "Never", 1, false],
  ["init", "Always", 0, false],
  ["init", "Always", 1, true],
  ["init", "Never", 1, false],
  ["sidecar", "Never", 1, true],
] as const)("a %s container under %s that ended with %i is restarted: %s", (kind, policy, exitCode, restarted) => {
  expect(isRestarted(kind, policy, exitCode)).toBe(restarted);
});

test("probes over HTTP and TCP", async () => {
  let status = 200;
  const server = createServer((_, response) => response.writeHead(status).end());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const how = { clock: new FakeClock(), timeoutMs: 1000, signal: new AbortController().signal };
  const run = new FakeRun("a", [], true);
  const http = { kind: "http", port, path: "/", scheme: "http", headers: [] } as const;
  expect(await carryOut(http, run, how)).toEqual({ failure: undefined });
  expect(await carryOut({ kind: "tcp", port }, run, how)).toEqual({ failure: undefined });
  status = 503;
  expect(await carryOut(http, run, how)).toEqual({ failure: "HTTP status 503" });
  server.close();
  expect((await carryOut({ kind: "tcp", port }, run, how)).failure).toMatch(/ECONNREFUSED/);
});
