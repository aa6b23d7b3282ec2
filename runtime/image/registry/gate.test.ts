import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { Gate } from "./gate.ts";

test("claims run side by side, a removal runs alone, and neither is forgotten", async () => {
  const gate = new Gate();
  let claims = 0;
  let removals = 0;
  let most = 0;
  const claim = (): Promise<void> =>
    gate.claim(async () => {
      most = Math.max(most, ++claims);
      expect(removals).toBe(0);
      await setImmediate();
      expect(removals).toBe(0);
      claims--;
    });
  const remove = (): Promise<void> =>
    gate.alone(async () => {
      expect([claims, ++removals]).toEqual([0, 1]);
      await setImmediate();
      expect([claims, removals--]).toEqual([0, 1]);
    });
  await Promise.all([claim(), claim(), remove(), claim(), remove(), claim(), claim()]);
  expect([most > 1, claims, removals]).toEqual([true, 0, 0]);
});

test("an act that fails opens the gate again", async () => {
  const gate = new Gate();
  const fail = (): Promise<never> => Promise.reject(new Error("as asked"));
  await expect(gate.alone(fail)).rejects.toThrow("as asked");
  await expect(gate.claim(fail)).rejects.toThrow("as asked");
  expect(await gate.alone(() => Promise.resolve("open"))).toBe("open");
});
