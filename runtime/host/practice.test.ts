import { FakeClock } from "@shallop/sdk/internal/testing";
import { expect, test } from "vitest";
import type { GuestRequest, GuestResponse, Instance, LoadedComponent } from "../component/engine.ts";
import type { GuestSettings } from "../component/wasi/guest-context.ts";
import { practise } from "./practice.ts";
import { threadStartOf } from "./hosted-pod.ts";
import { hostPod } from "./testing/host-pod.ts";
import { freshSlots, practiceNumber, slot } from "./thread-protocol.ts";

const directories = [{ host: "/data", guest: "/data", writable: true }];

/** What a guest that practises meets. */
interface Met {
  readonly settings: GuestSettings[];
  readonly requests: GuestRequest[];
  readonly running: (number | undefined)[];
  disposed: number;
  /** Instances that were wanted afterwards. */
  wanted: number;
}

async function practice(
  handle: (response: GuestResponse) => Promise<void>,
  change: Partial<LoadedComponent> = {},
): Promise<Met & { readonly runningAfter: number | undefined }> {
  const slots = freshSlots();
  const met: Met = { settings: [], requests: [], running: [], disposed: 0, wanted: 0 };
  const instance: Instance = {
    handle: (request, response) => {
      met.requests.push(request);
      met.running.push(slots[slot.running]);
      return handle(response);
    },
    memoryBytes: () => 0,
    breach: () => undefined,
    isWoken: () => false,
    dispose: () => void met.disposed++,
  };
  const component: LoadedComponent = {
    isConcurrent: false,
    instantiate: async () => {
      met.wanted++;
      return { ...instance, dispose: () => undefined };
    },
    takeReady: (settings) => {
      met.settings.push(settings());
      return instance;
    },
    ...change,
  };
  await practise({ component, start: threadStartOf(hostPod("a", { directories })), slots, clock: new FakeClock() });
  return { ...met, runningAfter: slots[slot.running] };
}

test("the guest is asked once, under the eyes of the watchdog, and is over then", async () => {
  const { requests, running, runningAfter, disposed } = await practice(async (response) => {
    response.respond(200, []);
    expect(response.body.capacity()).toBeGreaterThan(0);
    response.body.write(Buffer.from("hello"));
    response.finish([]);
  });
  expect(requests.map(({ method, target }) => `${method} ${target}`)).toEqual(["GET /"]);
  expect(requests[0]?.body.finished).toBe(true);
  expect([running, runningAfter, disposed]).toEqual([[practiceNumber], 0, 1]);
});

test("one waits for who comes first, also where its memory has grown and is not kept", async () => {
  expect((await practice(async () => undefined)).wanted).toBe(1);
});

test("it reaches nobody, has no directories, and nobody hears what it says", async () => {
  const { settings } = await practice(async () => undefined);
  const given = settings[0] ?? expect.fail("it was asked");
  expect(given.directories).toEqual([]);
  for (const address of ["1.1.1.1", "127.0.0.1", "2606:4700::1"]) expect(given.egress.allows(address)).toBe(false);
  await expect(given.egress.addressesOf("example.com")).rejects.toMatchObject({
    cause: { message: "this is practice: there is no way out" },
  });
  expect(() => given.log("stdout", Buffer.from("hello"))).not.toThrow();
});

test("one that waits for something is over after a turn of the event loop", async () => {
  const { disposed, runningAfter } = await practice(() => new Promise(() => undefined));
  expect([disposed, runningAfter]).toEqual([1, 0]);
});

test("what it fails of is nobody's", async () => {
  const { disposed, runningAfter } = await practice(() => Promise.reject(new Error("unreachable")));
  expect([disposed, runningAfter]).toEqual([1, 0]);
});

test("nothing practises whose instances keep what a request has left, and nothing is made for it", async () => {
  const answers = [
    await practice(async () => undefined, { isConcurrent: true }),
    await practice(async () => undefined, { takeReady: () => undefined }),
  ];
  expect(answers.map(({ requests, wanted }) => [requests, wanted])).toEqual([
    [[], 0],
    [[], 0],
  ]);
});
