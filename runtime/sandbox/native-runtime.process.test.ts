import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { systemClock } from "@shallop/sdk/internal";
import type { SandboxMachine } from "./features.ts";
import { LinuxKernel } from "./kernel/linux.ts";
import { nodeCgroup, nodeKey, podKey, podNames } from "./pod-files.ts";
import {
  inside,
  inspectorImage,
  launchOf,
  machineCounts,
  openSandbox,
  sandboxMachines,
  testLimits,
  until,
} from "./sandbox.fixture.ts";

const { machines, missing } = await sandboxMachines();

if (missing !== undefined) {
  test("native pods cannot be tested here, and detection says why", () => {
    console.warn(missing);
    expect(missing).toMatch(/native pods/);
  });
}

describe.each(machines.map((machine) => ({ kind: machine.runtime.kind, machine })))("with $kind", ({ machine }) => {
  lifecycleTests(machine);
  limitTests(machine);
});

function lifecycleTests(machine: SandboxMachine): void {
  test("a pod starts, answers, logs and stops, and leaves nothing", async () => {
    const before = await machineCounts();
    {
      await using sandbox = await openSandbox(machine);
      const pod = await sandbox.start({ uid: "a" });
      expect(pod.endpoint).toEqual({ protocol: "http1", host: pod.ip, port: 8080 });
      expect(pod.containerId).toMatch(new RegExp(`^${machine.runtime.kind}://`));
      expect(await (await fetch(`http://${pod.ip}:8080/`)).text()).toBe("hello from native\n");
      expect(await sandbox.runtime.start(launchOf({ uid: "a" }), AbortSignal.timeout(1000))).toEqual(pod);
      await sandbox.runtime.stop("a", 5000);
      await sandbox.runtime.stop("a", 5000);
      expect(sandbox.exits.size).toBe(0);
    }
    expect(await machineCounts()).toEqual(before);
  });

  test("a program that drops its requests when it is asked to end is asked when it has none, by its own signal", async () => {
    await using sandbox = await openSandbox(machine);
    const pod = await sandbox.start({ uid: "busy", stopSignal: "SIGQUIT" });
    const slow = inside(pod, `await new Promise((done) => setTimeout(done, 1500)); return "answered";`);
    await systemClock.sleep(200);
    const beganMs = systemClock.nowMs();
    const stopped = sandbox.runtime.stop("busy", 60_000);
    expect(await slow).toBe("answered");
    await stopped;
    // A second without connections, and not the whole grace.
    expect(systemClock.nowMs() - beganMs).toBeLessThan(20_000);
    expect(sandbox.exits.size).toBe(0);
  });

  test("both output streams arrive as lines with stream and time, long ones in pieces", async () => {
    await using sandbox = await openSandbox(machine);
    const pod = await sandbox.start({ uid: "logs" });
    await inside(pod, `console.log("to stdout"); console.error("to stderr"); console.log("x".repeat(20000));`);
    await until(() => sandbox.lines.length >= 4);
    const of = (stream: string): unknown[] =>
      sandbox.lines.filter((entry) => entry.line.stream === stream).map(({ line }) => [line.text.length, line.partial]);
    expect(of("stdout")).toEqual([
      [9, false],
      [16_384, true],
      [3616, false],
    ]);
    expect(sandbox.lines.find((entry) => entry.line.stream === "stderr")?.line.text).toBe("to stderr");
    expect(sandbox.lines.every(({ line }) => line.wallMs > 1.7e12)).toBe(true);
  });

  test("a flood of output does not stop another pod from answering", async () => {
    await using sandbox = await openSandbox(machine);
    const [loud, calm] = [await sandbox.start({ uid: "loud" }), await sandbox.start({ uid: "calm" })];
    await inside(
      loud,
      `globalThis.flood = setInterval(() => { for (let i = 0; i < 2000; i++) console.log("y".repeat(500)); }, 1);`,
    );
    await until(() => sandbox.lines.length > 1000);
    const startedMs = performance.now();
    for (let i = 0; i < 20; i++) expect(await inside(calm, "return 1")).toBe(1);
    expect(performance.now() - startedMs).toBeLessThan(5000);
    await sandbox.runtime.stop("loud", 0);
  });

  test("a pod that ends by itself is told of once, with code and last lines, and removed", async () => {
    await using sandbox = await openSandbox(machine);
    const before = await machineCounts();
    const pod = await sandbox.start({ uid: "quits" });
    await inside(pod, `console.error("goodbye"); setTimeout(() => process.exit(7), 50);`);
    await until(() => sandbox.exits.has("quits"));
    expect(sandbox.exits.get("quits")).toEqual({ exitCode: 7, reason: "Error", message: "goodbye" });
    // The bridge and its rules, and on small kernels its sink, came with the first pod and stay for the next.
    const { links: _links, tables: _tables, ...after } = await machineCounts();
    expect(before).toMatchObject(after);
  });

  test("SIGTERM is answered within the grace, SIGKILL follows after it", async () => {
    await using sandbox = await openSandbox(machine);
    const stubborn = await sandbox.start({ uid: "stubborn" });
    await inside(stubborn, `process.removeAllListeners("SIGTERM"); process.on("SIGTERM", () => console.log("no"));`);
    await sandbox.start({ uid: "polite" });
    const timeOf = async (uid: string, graceMs: number): Promise<number> => {
      const startedMs = performance.now();
      await sandbox.runtime.stop(uid, graceMs);
      return performance.now() - startedMs;
    };
    expect(await timeOf("polite", 10_000)).toBeLessThan(5000);
    const stubbornMs = await timeOf("stubborn", 600);
    expect(stubbornMs).toBeGreaterThanOrEqual(600);
    expect(sandbox.lines.some((entry) => entry.line.text === "no")).toBe(true);
  });

  test("starts that fail say why by code, and leave nothing", async () => {
    await using sandbox = await openSandbox(machine);
    await sandbox.runtime.prepare(inspectorImage(), AbortSignal.timeout(5000));
    const before = await machineCounts();
    const limits = { ...testLimits, startTimeoutMs: 700 };
    const failures = [
      { code: "EXITED", says: /boom/, launch: { script: `console.error("boom"); process.exit(3)` } },
      {
        code: "START_TIMEOUT",
        says: /does not listen on port 8080.*quiet/s,
        launch: { script: `console.log("quiet"); setInterval(() => {}, 1000)`, limits },
      },
      { code: "IMAGE_INVALID", says: /working directory/, launch: { workingDir: "relative" } },
    ];
    for (const { code, says, launch } of failures) {
      await expect(sandbox.start(launch)).rejects.toMatchObject({ code, message: expect.stringMatching(says) });
    }
    await expect(sandbox.start({ entrypoint: ["/no/such/program"] })).rejects.toMatchObject({
      code: expect.stringMatching(/^(EXITED|IMAGE_INVALID)$/),
      message: expect.stringMatching(/no such file|not found/i),
    });
    expect(sandbox.exits.size).toBe(0);
    expect(await machineCounts()).toEqual(before);
  });

  test("a start that is given up or stopped half way leaves nothing", async () => {
    await using sandbox = await openSandbox(machine);
    await sandbox.runtime.prepare(inspectorImage(), AbortSignal.timeout(5000));
    const before = await machineCounts();
    for (const delayMs of [1, 10, 25, 45, 70]) {
      const reason = new Error("given up");
      const giveUp = new AbortController();
      const started = sandbox.runtime.start(
        launchOf({ uid: `g${delayMs}`, script: "setInterval(() => {}, 9)" }),
        giveUp.signal,
      );
      const refused = expect(started).rejects.toBe(reason);
      await systemClock.sleep(delayMs);
      giveUp.abort(reason);
      await refused;
      const stopped = sandbox.runtime.start(
        launchOf({ uid: `s${delayMs}`, script: "setInterval(() => {}, 9)" }),
        AbortSignal.timeout(20_000),
      );
      const failed = expect(stopped).rejects.toThrow("was stopped while it started");
      await systemClock.sleep(delayMs);
      await sandbox.runtime.stop(`s${delayMs}`, 1000);
      await failed;
    }
    expect(await machineCounts()).toEqual(before);
  });

  test("the agent's restart: what runs is taken over with its logs and its end, what does not is removed", async () => {
    const before = await machineCounts();
    {
      await using sandbox = await openSandbox(machine);
      const [first, second] = [await sandbox.start({ uid: "stays" }), await sandbox.start({ uid: "dies" })];
      await sandbox.runtime[Symbol.asyncDispose]();
      await inside(first, `console.log("while nobody listened")`);
      await inside(second, `setTimeout(() => process.exit(1), 10)`);
      await systemClock.sleep(300);
      await using again = await sandbox.again();
      const ended = { exitCode: 1, reason: "Error", message: "" };
      expect((await again.adopt()).toSorted((a, b) => (a.uid < b.uid ? 1 : -1))).toEqual([first, { ...second, ended }]);
      await until(() => sandbox.lines.some(({ line }) => line.text === "while nobody listened"));
      expect(await inside(first, "return 2")).toBe(2);
      await inside(first, `setTimeout(() => process.exit(5), 10)`);
      await until(() => sandbox.exits.has("stays"));
      expect(sandbox.exits.get("stays")).toMatchObject({ exitCode: 5, reason: "Error" });
      expect(await again.adopt()).toEqual([]);
    }
    expect(await machineCounts()).toEqual(before);
  });

  test("a pod whose shim is killed is ended with it", async () => {
    await using sandbox = await openSandbox(machine);
    await sandbox.start({ uid: "orphan" });
    const names = podNames(nodeKey(sandbox.directory), podKey("orphan"));
    const kernel = await LinuxKernel.open(systemClock);
    for (const pid of await kernel.processesNaming("shallop-shim")) {
      if ((await kernel.processesNaming(sandbox.directory)).includes(pid)) kernel.signal(pid, "SIGKILL");
    }
    await until(() => sandbox.exits.has("orphan"));
    expect(sandbox.exits.get("orphan")).toMatchObject({ exitCode: 137, reason: "Error" });
    expect(await kernel.cgroups.processes(names.cgroup)).toEqual([]);
  });
}

function limitTests(machine: SandboxMachine): void {
  test("limits are set in the pod's cgroup", async () => {
    await using sandbox = await openSandbox(machine);
    const limits = { ...testLimits, memoryBytes: 200 << 20, cpu: 0.5, pidsMax: 77 };
    await sandbox.start({ uid: "limited", limits, shares: { ioWeight: 200, cpuShares: 333, cpus: "0" } });
    const { cgroups } = await LinuxKernel.open(systemClock);
    const { runtimeCgroup } = podNames(nodeKey(sandbox.directory), podKey("limited"));
    const read = async (controller: string, file: string): Promise<string> =>
      (await cgroups.read(controller, runtimeCgroup, file)).trim();
    const v2 = cgroups.layout.mode === "v2";
    expect(await read("memory", v2 ? "memory.max" : "memory.limit_in_bytes")).toBe(String(200 << 20));
    expect(await read("pids", "pids.max")).toBe("77");
    if (v2) {
      expect(await read("cpu", "cpu.max")).toBe("50000 100000");
      expect(["0", ""]).toContain(await read("memory", "memory.swap.max"));
    } else {
      expect(await read("cpu", "cpu.cfs_quota_us")).toBe("50000");
      expect(await read("cpu", "cpu.shares")).toBe("512");
      if (machine.swapLimit) expect(await read("memory", "memory.memsw.limit_in_bytes")).toBe(String(200 << 20));
    }
    const { cgroup } = podNames(nodeKey(sandbox.directory), podKey("limited"));
    const files = v2 ? ["io.bfq.weight", "io.weight"] : ["blkio.bfq.weight", "blkio.weight"];
    const weights = await Promise.all(files.map((file) => cgroups.read(v2 ? "io" : "blkio", cgroup, file)));
    const isTold = sandbox.notices.some(({ reason }) => reason === "NoIoWeight");
    expect((await cgroups.read("cpu", cgroup, v2 ? "cpu.weight" : "cpu.shares")).trim()).toBe(v2 ? "13" : "333");
    expect(await read("cpuset", "cpuset.cpus")).toBe("0");
    // 200 is 1920 of the 10,000 of `io.weight`. A kernel without weights starts the pod, and says so.
    expect(weights.some((weight) => /\b(200|1920)\b/.test(weight))).toBe(!isTold);
  });

  test("a pod that eats memory is OOMKilled", async () => {
    await using sandbox = await openSandbox(machine);
    const pod = await sandbox.start({ uid: "hungry", limits: { ...testLimits, memoryBytes: 128 << 20 } });
    void inside(pod, `globalThis.kept = []; for (;;) kept.push(Buffer.alloc(8 << 20, 1));`).catch(() => undefined);
    await until(() => sandbox.exits.has("hungry"));
    expect(sandbox.exits.get("hungry")).toMatchObject({ exitCode: 137, reason: "OOMKilled" });
    expect(sandbox.exits.get("hungry")?.message).toMatch(/memory limit of 134217728 bytes/);
  });

  test("a fork bomb stays in its pod, and is told of", async () => {
    await using sandbox = await openSandbox(machine);
    const pod = await sandbox.start({ uid: "bomb", limits: { ...testLimits, pidsMax: 40 } });
    await inside(
      pod,
      `globalThis.children = [];
      for (let i = 0; i < 60; i++) {
        const process = child.spawn("/usr/bin/node", ["-e", "setTimeout(() => {}, 60000)"]);
        process.on("error", () => {});
        children.push(process);
      }`,
    );
    const { cgroups } = await LinuxKernel.open(systemClock);
    const { cgroup } = podNames(nodeKey(sandbox.directory), podKey("bomb"));
    await until(async () => (await cgroups.counters(`${cgroup}/run`)).pidsRefused > 0);
    expect((await cgroups.processes(cgroup)).length).toBeLessThanOrEqual(40);
    await until(() => sandbox.notices.some((notice) => notice.uid === "bomb" && notice.reason === "PidsLimit"));
    await sandbox.runtime.stop("bomb", 0);
    expect(await cgroups.processes(nodeCgroup(nodeKey(sandbox.directory)))).toEqual([]);
  });

  test("the CPU quota holds: a spinning pod gets its share of a core and no more", async () => {
    await using sandbox = await openSandbox(machine);
    const pod = await sandbox.start({ uid: "busy", limits: { ...testLimits, cpu: 0.3 } });
    const share = await inside(
      pod,
      `const before = process.cpuUsage(), startMs = Date.now();
      while (Date.now() - startMs < 1500);
      const used = process.cpuUsage(before);
      return (used.user + used.system) / 1000 / (Date.now() - startMs);`,
    );
    expect(share).toBeLessThan(0.42);
    expect(share).toBeGreaterThan(0.05);
  });
}

test("eighteen starts and stops leave all counts as they were", async () => {
  const [machine] = machines;
  if (machine === undefined) return expect(missing).toBeDefined();
  await using sandbox = await openSandbox(machine);
  await sandbox.start({ uid: "first" });
  await sandbox.runtime.stop("first", 0);
  const before = await machineCounts();
  for (let round = 0; round < 6; round++) {
    const uids = [`a${round}`, `b${round}`, `c${round}`];
    await Promise.all(uids.map((uid) => sandbox.start({ uid })));
    await Promise.all(uids.map((uid) => sandbox.runtime.stop(uid, 0)));
  }
  expect(await machineCounts()).toEqual(before);
});

test("networks that are made ahead are pods' at once, are made again, and go with the node or with the next one", async () => {
  const [machine] = machines;
  if (machine === undefined) return expect(missing).toBeDefined();
  const before = await machineCounts();
  {
    await using sandbox = await openSandbox(machine, { sparesMax: 1 });
    await sandbox.runtime.prepare(inspectorImage(), AbortSignal.timeout(5000));
    const ready = async (): Promise<number> => (await machineCounts())["namespaces"] ?? 0;
    await until(async () => (await ready()) === 1);
    const pods = await Promise.all([sandbox.start({ uid: "one" }), sandbox.start({ uid: "two" })]);
    expect(new Set(pods.map((pod) => pod.ip)).size).toBe(2);
    for (const pod of pods) expect(await inside(pod, "return 1")).toBe(1);
    await sandbox.runtime.stop("one", 0);
    await until(async () => (await ready()) === 2);
    // The next agent knows nothing of what was made ahead.
    await sandbox.runtime[Symbol.asyncDispose]();
    await using again = await sandbox.again();
    expect(await again.adopt()).toHaveLength(1);
    await again.stop("two", 0);
  }
  expect(await machineCounts()).toEqual(before);
});

test("two nodes of one machine have different bridges and subnets, and neither sees the other's pods", async () => {
  const [machine] = machines;
  if (machine === undefined) return expect(missing).toBeDefined();
  await using one = await openSandbox(machine);
  await using other = await openSandbox(machine);
  const [a, b] = await Promise.all([one.start({ uid: "same" }), other.start({ uid: "same" })]);
  const subnetOf = (ip: string | undefined): string => (ip ?? "").split(".").slice(0, 3).join(".");
  expect(subnetOf(a.ip)).not.toBe(subnetOf(b.ip));
  await one.runtime.stop("same", 0);
  expect(await inside(b, "return 3")).toBe(3);
  const routes = execFileSync("ip", ["-4", "route"], { encoding: "utf8" });
  expect(routes).toContain(subnetOf(b.ip));
});

test("a node with no address left says so; an address range that is none does too", async () => {
  const [machine] = machines;
  if (machine === undefined) return expect(missing).toBeDefined();
  await using small = await openSandbox(machine, { addressRange: "10.211.7.0/29" });
  const uids = ["a", "b", "c", "d", "e"];
  const pods = await Promise.all(uids.map((uid) => small.start({ uid })));
  expect(new Set(pods.map((pod) => pod.ip)).size).toBe(5);
  await expect(small.start({ uid: "f" })).rejects.toMatchObject({ code: "NO_CAPACITY", retryable: true });
  await Promise.all(uids.map((uid) => small.runtime.stop(uid, 0)));
  for (const addressRange of ["10.88.0.1/16", "everything", "127.0.0.0/16"]) {
    await using sandbox = await openSandbox(machine, { addressRange });
    await expect(sandbox.start()).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringContaining(addressRange),
    });
  }
});
