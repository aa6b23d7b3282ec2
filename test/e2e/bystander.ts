import { expect } from "vitest";
import { callSteadily } from "../support/steady-caller.ts";
import type { Platform } from "../support/platform.ts";
import { whoScript } from "../support/behaviours.ts";
import type { Workshop } from "../support/workshop.ts";

// "Nothing harms another function": the other function runs in the same namespace, so in the same host process, which is
// as near as two functions can be.

const bystander = "bystander";
/** The guests that do harm and all of the platform share the cores with whoever else is there: far above what it takes without those. */
const p99MsMax = 10_000;

/** Deploys the function that nothing may harm. */
export async function deployBystander(platform: Platform, workshop: Workshop): Promise<void> {
  const image = await workshop.publish(platform, bystander, { script: whoScript });
  await platform.run("deploy", bystander, "--image", image, "--env", "WHO=bystander", "--min-scale", "1");
}

/** Does something bad while the bystander is called all the time; none of its requests may fail. */
export async function besideBystander<T>(platform: Platform, work: () => Promise<T>): Promise<T> {
  const caller = callSteadily(platform, `${bystander}.default`);
  let result: T;
  try {
    result = await work();
  } finally {
    const { requests, failed, p99Ms, said } = await caller.stop();
    expect(failed, `the bystander was answered ${said}`).toBe(0);
    expect(requests).toBeGreaterThan(0);
    expect(p99Ms, "the bystander's p99").toBeLessThan(p99MsMax);
  }
  return result;
}
