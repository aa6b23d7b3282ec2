import { systemClock, systemRandom } from "@shallop/sdk/internal";
import { expect, test } from "vitest";
import { addressJudge } from "./egress/address-judge.ts";
import { Egress } from "./egress/egress.ts";
import { providedInterfaces } from "./requirements.ts";
import { GuestContext, guestBounds, noGrants } from "./wasi/guest-context.ts";
import { wasiImports } from "./wasi/imports.ts";

test("what is promised to components is what they are given", () => {
  const context = new GuestContext({
    environment: [],
    ...noGrants,
    clock: systemClock,
    random: systemRandom,
    egress: new Egress(addressJudge()),
    log: () => undefined,
    ended: () => undefined,
    bounds: guestBounds,
  });
  const imports = wasiImports({ context });
  const promised = [...providedInterfaces["0.2"], ...[...providedInterfaces["0.3"]].map((name) => `${name}@0.3`)];
  expect(Object.keys(imports).sort()).toEqual(promised.sort());
  for (const name of promised) expect(imports[name]).toBeTypeOf("object");
});
