import { systemClock, systemRandom } from "@shallop/sdk/internal";
import { expect, test } from "vitest";
import { builtFunction } from "../../test/support/built-function.ts";
import { Egress } from "../component/egress/egress.ts";
import { inDirectory, layOut } from "../component/prepared-files.ts";
import { ByteQueue } from "../component/wasi/byte-queue.ts";
import { ArtifactCache } from "./artifact-cache.ts";
import { guestSettingsOf } from "./guest-settings.ts";
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
  await parkAhead({ start, modules, parked, slots, clock: systemClock, practises: true });
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
  await expect(parkAhead({ start, modules, parked, slots, clock: systemClock, practises: true })).rejects.toThrow();
  expect([parked.keys, slots[slot.running]]).toEqual([[], 0]);
});

test("nothing of its practice is seen by who comes first", async () => {
  await using fixture = await RuntimeFixture.open();
  // What grows with a request: the instance that practised is not the one that waits.
  const script = `let count = 0;
let held = [];
export default { async fetch(request) { count++; held.push(new Uint8Array(2 ** 21)); return new Response(String(count) + new URL(request.url).host); } };`;
  const { start, modules } = await prepared(fixture, await fixture.imageOf(await builtFunction(script)));
  const [parked, slots] = [new ParkedComponents(), freshSlots()];
  await parkAhead({ start, modules, parked, slots, clock: systemClock, practises: true });
  const component = parked.take(start) ?? expect.fail("it is parked");
  const given = { clock: systemClock, random: systemRandom, egress: new Egress(() => undefined), isShared: false };
  const output = { write: () => undefined, end: () => undefined };
  const instance = component.takeReady?.(guestSettingsOf(start, given, () => output)) ?? expect.fail("it waits");
  const said: Uint8Array[] = [];
  const body = new ByteQueue();
  body.end();
  const always = { ready: () => true, subscribe: () => () => undefined };
  const sink = { ...always, capacity: () => 1024, flushed: () => true, failure: () => undefined };
  await instance.handle(
    { method: "GET", target: "/", scheme: "http", authority: "first", headers: [], body },
    {
      respond: () => undefined,
      body: { ...sink, write: (bytes) => void said.push(bytes.slice()) },
      finish: () => undefined,
      fail: (message) => expect.fail(message),
    },
  );
  expect(Buffer.concat(said).toString()).toBe("1first");
  instance.dispose();
  component.release?.();
});
