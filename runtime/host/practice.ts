import { type Clock, systemRandom } from "@shallop/sdk/internal";
import type { GuestResponse, Instance, LoadedComponent } from "../component/engine.ts";
import { Egress } from "../component/egress/egress.ts";
import { ByteQueue } from "../component/wasi/byte-queue.ts";
import { guestSettingsOf } from "./guest-settings.ts";
import { startAhead } from "./start-ahead.ts";
import { practiceNumber, sharedNowMs, slot, type ThreadStart } from "./thread-protocol.ts";

export interface Practice {
  readonly component: LoadedComponent;
  /** Of a pod that has come up with it. */
  readonly start: ThreadStart;
  readonly slots: Float64Array;
  readonly clock: Clock;
}

// A request takes a millisecond or a few, the first of all some ten. A guest that takes longer is not worth a thread that somebody
// may need meanwhile.
const practiceMsMax = 500;

/**
 * Gives an instance that waits a request that nobody has made: what the first client of the thread would wait for (V8 compiles a
 * function when it is first called, and memory is there when it is first written) is done by then. Nothing of it is seen or kept: the
 * guest reaches nobody, has no directories, what it says is dropped, and its memory is put back as after any request. It has one turn
 * of the event loop; where it waits for something it is over.
 */
export async function practise({ component, start, slots, clock }: Practice): Promise<void> {
  // Instances of a concurrent component keep what a request has left.
  if (component.isConcurrent) return;
  const settings = guestSettingsOf(
    { ...start, directories: [] },
    { clock, random: systemRandom, egress: nowhere, isShared: false },
    () => silence,
  );
  const instance = component.takeReady?.(settings);
  if (instance === undefined) return;
  slots[slot.runningDeadline] = sharedNowMs() + practiceMsMax;
  slots[slot.running] = practiceNumber;
  await turnOf(instance);
  slots[slot.running] = 0;
  instance.dispose();
  // Of one whose memory has grown nothing is kept, and the next one shall not wait for another. What does not come up will not for it either.
  await startAhead(component, settings(), slots).catch(() => undefined);
}

/** Resolves when the guest has answered, failed, or waits. */
function turnOf(instance: Instance): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const body = new ByteQueue();
  body.end();
  const request = { method: "GET", target: "/", scheme: "http", authority: "localhost", headers: requestHeaders, body };
  setImmediate(resolve);
  // What it has failed of, the first request that somebody makes will meet, and tell.
  void instance.handle(request, nobody).catch(() => undefined);
  return promise;
}

const requestHeaders = ["host", "localhost", "user-agent", "shallop-practice", "accept", "*/*"];
const nowhere = new Egress(
  () => "this is practice: there is no way out",
  () => Promise.reject(new Error("this is practice: there is no way out")),
);
const silence = { write: () => undefined, end: () => undefined };
const nobody: GuestResponse = {
  respond: () => undefined,
  body: {
    capacity: () => 65_536,
    write: () => undefined,
    flushed: () => true,
    failure: () => undefined,
    ready: () => true,
    subscribe: () => () => undefined,
  },
  finish: () => undefined,
  fail: () => undefined,
};
