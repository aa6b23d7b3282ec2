import { expect, test } from "vitest";
import { CpuMeter, lookMs } from "./cpu-meter.ts";

/** A machine with one thread that uses `share` of a core while it runs. */
class Machine {
  nowMs = 0;
  threadMs = 0;
  processMs = 0;
  stuck = false;
  readonly meter = new CpuMeter({
    nowMs: () => this.nowMs,
    threadMs: () => (this.stuck ? new Promise(() => undefined) : Promise.resolve(this.threadMs)),
    processMs: () => this.processMs,
  });

  /** Runs for a number of looks; `request` is what is at work at each of them. */
  async run(looks: number, request: (look: number) => number, share = 1): Promise<void> {
    for (let look = 0; look < looks; look++) {
      this.nowMs += lookMs;
      this.threadMs += lookMs * share;
      this.processMs += lookMs * share;
      this.meter.look(request(look));
      await Promise.resolve();
    }
  }
}

test("a guest that spins is charged with what it takes", async () => {
  const machine = new Machine();
  await machine.run(41, () => 7);
  expect(machine.meter.usedMs(7)).toBeGreaterThanOrEqual(1000);
  expect(machine.meter.usedMs(7)).toBeLessThanOrEqual(1000 + lookMs);
  expect(machine.meter.usedMs(8)).toBe(0);
});

test("time on the wall is no CPU time", async () => {
  const machine = new Machine();
  await machine.run(40, () => 7, 0.1);
  expect(machine.meter.usedMs(7)).toBeLessThan(130);
});

test("requests that take turns are charged with their turns, and nobody with what was before", async () => {
  const machine = new Machine();
  machine.threadMs = 100_000;
  await machine.run(400, (look) => [0, 1, 2, 2][look % 4] ?? 0);
  expect(machine.meter.usedMs(1)).toBeGreaterThan(2000);
  expect(machine.meter.usedMs(1)).toBeLessThan(6000);
  expect(machine.meter.usedMs(2)).toBeGreaterThan(4000);
  expect(machine.meter.usedMs(2)).toBeLessThan(6000);
});

test("one that does not even answer is charged with what the process takes", async () => {
  const machine = new Machine();
  machine.stuck = true;
  await machine.run(40, () => 7, 0.5);
  expect(machine.meter.usedMs(7)).toBeGreaterThan(450);
  expect(machine.meter.usedMs(7)).toBeLessThanOrEqual(500);
});
