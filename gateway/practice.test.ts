import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { systemClock, systemRandom } from "@shallop/sdk/internal";
import { expect, test } from "vitest";
import { defaultLimits } from "./limits.ts";
import { practise } from "./practice.ts";

const options = { clock: systemClock, random: systemRandom, limits: defaultLimits, serverTiming: "cold" } as const;
const folders = async (): Promise<readonly string[]> =>
  (await readdir(tmpdir())).filter((name) => name.startsWith(`shallop-practice-`));

test("functions at zero answer what nobody has asked, and nothing is left of it", async () => {
  const before = await folders();
  // It throws at an answer that is not the pod's.
  await practise({ ...options, isBusy: () => false });
  expect((await folders()).filter((name) => !before.includes(name))).toEqual([]);
});

test("it is over as soon as somebody asks the real one", async () => {
  let asked = 0;
  await practise({ ...options, isBusy: () => ++asked > 3 });
  expect(asked).toBe(4);
});
