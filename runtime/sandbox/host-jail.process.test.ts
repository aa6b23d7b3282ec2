import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { silentLog, systemClock } from "@shallop/sdk/internal";
import { hostJail, type HostJailSettings } from "./host-jail.ts";
import { LinuxKernel } from "./kernel/linux.ts";
import { nodeCgroup, nodeKey } from "./pod-files.ts";
import { until } from "./sandbox.fixture.ts";

const settings: HostJailSettings = { directory: "/tmp/shallop-host-jail-test", clock: systemClock, log: silentLog };
const jail = await hostJail(settings);
const limits = { memoryBytes: 96 << 20, cpu: 0.5, pidsMax: 60 };

const guest = (script: string): ChildProcess =>
  spawn(process.execPath, ["-e", `process.stdin.once("data", () => { ${script} })`], {
    stdio: ["pipe", "inherit", "inherit"],
  });

if (jail.weakness !== undefined) {
  test("cgroups cannot be tested here, and the jail says why", async () => {
    console.warn(jail.weakness);
    await jail.place(1, limits);
    expect(jail.weakness).toMatch(/V8's limits only/);
  });
} else {
  test("a process is held to its memory, and what killed it is counted", async () => {
    const child = guest("const kept = []; for (;;) kept.push(Buffer.alloc(8 << 20, 1));");
    const pid = child.pid ?? 0;
    await jail.place(pid, limits);
    const ended = once(child, "exit");
    child.stdin?.write("go");
    expect(await ended).toEqual([null, "SIGKILL"]);
    expect((await jail.counters(pid)).oomKills).toBeGreaterThan(0);
    await jail.release(pid);
    await jail.release(pid);
    await jail.sweep();
  });

  test("limits can be changed, both ways; what an earlier run left is ended", async () => {
    const child = guest("");
    const pid = child.pid ?? 0;
    const ended = once(child, "exit");
    for (const memoryBytes of [96 << 20, 200 << 20, 128 << 20]) await jail.place(pid, { ...limits, memoryBytes });
    const { cgroups } = await LinuxKernel.open(systemClock);
    const hosts = `${nodeCgroup(nodeKey(settings.directory))}/hosts`;
    expect(await cgroups.processes(`${hosts}/${pid}`)).toEqual([pid]);
    await (await hostJail(settings)).sweep();
    expect(await ended).toEqual([null, "SIGKILL"]);
    await until(async () => (await cgroups.children(hosts)).length === 0);
  });
}

test("without root or controllers it holds nothing, and says so", async () => {
  expect((await hostJail({ ...settings, uid: 1000 })).weakness).toMatch(/need root/);
  const none = { mode: "none", rootByController: new Map<string, string>(), roots: [] } as const;
  const weak = await hostJail({ ...settings, uid: 0, layout: none });
  expect(weak.weakness).toMatch(/cpu, memory, pids/);
  await weak.place(process.pid, limits);
  await weak.release(process.pid);
});
