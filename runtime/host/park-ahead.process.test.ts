import { systemClock } from "@shallop/sdk/internal";
import { expect, test } from "vitest";
import { inDirectory, layOut } from "../component/prepared-files.ts";
import { ArtifactCache } from "./artifact-cache.ts";
import { parkAhead } from "./park-ahead.ts";
import { ParkedComponents, parkingKey } from "./parked-components.ts";
import { trappingStartComponent } from "./testing/components.ts";
import { never, RuntimeFixture } from "./testing/runtime-fixture.ts";
import { freshSlots, slot, type ThreadStart } from "./thread-protocol.ts";
import type { LocalWasmImage } from "../image/local-image.ts";

/** A component, prepared in a directory as host processes have them. */
async function prepared(fixture: RuntimeFixture, image: LocalWasmImage) {
  const runtime = await fixture.runtime();
  await runtime.prepare(image, never);
  const found = await (await fixture.prepared()).find({ purpose: "serve", componentDigest: image.componentDigest });
  if (found === undefined) throw new Error("it was prepared");
  const preparedDir = `${fixture.directory}/component`;
  layOut(found.pathOf, preparedDir);
  const { env, limits } = fixture.launch(image);
  const start: ThreadStart = {
    ...{ type: "start", uid: "u", preparedDir, env, limits },
    ...{ egressAllowed: [], egressSocket: undefined, directories: [] },
  };
  const modules = new ArtifactCache().modules(image.componentDigest, inDirectory(preparedDir), limits);
  return { start, modules };
}

test("a component is parked with an instance that has served nothing, and nobody is at work then", async () => {
  await using fixture = await RuntimeFixture.open();
  const { start, modules } = await prepared(fixture, await fixture.guestImage());
  const [parked, slots] = [new ParkedComponents(), freshSlots()];
  await parkAhead({ start, modules, parked, slots, clock: systemClock });
  expect(parked.keys).toEqual([parkingKey(start)]);
  expect(slots[slot.running]).toBe(0);
  const component = parked.take(start);
  expect(component?.rest?.(), "bytes of the instance that waits").toBeGreaterThan(2 ** 16);
  component?.release?.();
});

test("one that traps at its start is not parked", async () => {
  await using fixture = await RuntimeFixture.open();
  const { start, modules } = await prepared(fixture, await fixture.imageOf(await trappingStartComponent()));
  const [parked, slots] = [new ParkedComponents(), freshSlots()];
  await expect(parkAhead({ start, modules, parked, slots, clock: systemClock })).rejects.toThrow();
  expect([parked.keys, slots[slot.running]]).toEqual([[], 0]);
});
