import { systemRandom } from "@shallop/sdk/internal";
import { FakeClock } from "@shallop/sdk/internal/testing";
import { addressJudge } from "../egress/address-judge.ts";
import { Egress } from "../egress/egress.ts";
import { type GuestBounds, GuestContext, type GuestSettings, guestBounds, noGrants } from "./guest-context.ts";

/** A context for tests: a clock that is moved by hand, and bounds to choose. */
export function testContext(
  bounds: Partial<GuestBounds> = {},
  settings: Partial<GuestSettings> = {},
): {
  readonly context: GuestContext;
  readonly clock: FakeClock;
} {
  const clock = new FakeClock();
  const context = new GuestContext({
    environment: [["A", "1"]],
    ...noGrants,
    clock,
    random: systemRandom,
    egress: new Egress(addressJudge(), () => Promise.reject(new Error("no network in tests"))),
    log: () => undefined,
    ended: () => undefined,
    bounds: { ...guestBounds, ...bounds },
    ...settings,
  });
  return { context, clock };
}
