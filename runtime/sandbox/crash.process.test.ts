import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { systemClock } from "@shallop/sdk/internal";
import { machineCounts, openSandbox, sandboxMachines } from "./sandbox.fixture.ts";
import { startHooks } from "./start.ts";

// The agent is killed with SIGKILL at each step of a start, and at moments in between. The next one must find nothing
// that it does not remove.
const { machines, missing } = await sandboxMachines();
const [machine] = machines;

if (machine === undefined) {
  test("crashes of native pods' agent cannot be tested here, and detection says why", () => {
    console.warn(missing);
    expect(missing).toMatch(/native pods/);
  });
} else {
  const moments = startHooks.flatMap((hook) =>
    ["before", "within", "after"].map((moment) => ({ hook: hook.name, moment })),
  );
  test.each(moments)("killed $moment the step $hook: adopt leaves nothing", async ({ hook, moment }) => {
    const before = await machineCounts();
    const directory = await mkdtemp(join(tmpdir(), "shallop-sandbox-"));
    await crash([directory, hook, moment]);
    {
      await using sandbox = await openSandbox(machine, { directory });
      expect(await sandbox.runtime.adopt()).toEqual([]);
      expect(await readdir(join(directory, "pods"))).toEqual([]);
      expect(await readdir(join(directory, "ip")).catch(() => [])).toEqual([]);
      expect(await machineCounts()).toEqual(before);
    }
    expect(await machineCounts()).toEqual(before);
  });

  test("killed when the pod runs: adopt takes it over", async () => {
    const before = await machineCounts();
    const directory = await mkdtemp(join(tmpdir(), "shallop-sandbox-"));
    await crash([directory, "none", "after"]);
    {
      await using sandbox = await openSandbox(machine, { directory });
      const [pod] = await sandbox.runtime.adopt();
      expect(await (await fetch(`http://${pod?.ip}:8080/`)).text()).toBe("hello from native\n");
      await sandbox.runtime.stop("crash", 1000);
    }
    expect(await machineCounts()).toEqual(before);
  });

  test.each([15, 40, 60, 80])(
    "killed %i ms after the start began: adopt leaves nothing or a pod that answers",
    async (delayMs) => {
      const before = await machineCounts();
      const directory = await mkdtemp(join(tmpdir(), "shallop-sandbox-"));
      const child = agent([directory, "none", "after"]);
      // The agent itself takes a while to be there; its first act is the pod's directory.
      for (
        let looks = 0;
        looks < 2000 && (await readdir(join(directory, "pods")).catch(() => [])).length === 0;
        looks++
      ) {
        await systemClock.sleep(2);
      }
      await systemClock.sleep(delayMs);
      child.kill("SIGKILL");
      {
        await using sandbox = await openSandbox(machine, { directory });
        for (const pod of await sandbox.runtime.adopt()) await sandbox.runtime.stop(pod.uid, 0);
      }
      expect(await machineCounts()).toEqual(before);
      await rm(directory, { recursive: true, force: true });
    },
  );
}

function agent(args: readonly string[]): ReturnType<typeof spawn> {
  return spawn(process.execPath, [join(import.meta.dirname, "crash.fixture.ts"), ...args], { stdio: "inherit" });
}

async function crash(args: readonly string[]): Promise<void> {
  const [, signal]: unknown[] = await once(agent(args), "exit");
  expect(signal).toBe("SIGKILL");
}
