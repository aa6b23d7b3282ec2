import { FakeClock } from "@shallop/sdk/internal/testing";
import { describe, expect, test } from "vitest";
import type { GuestRequest, GuestResponse, Instance } from "../component/engine.ts";
import { emptyQueue } from "../component/wasi/byte-queue.ts";
import type { InstanceSource } from "./guest-call.ts";
import { type InstanceReuse, SharedInstances } from "./shared-instances.ts";

/** Instances whose requests end when they are told to. */
class Made implements InstanceSource {
  readonly instances: FakeInstance[] = [];
  failing = false;
  /** While it is there, none of them comes. */
  held: Promise<void> | undefined;
  wanted: () => boolean = () => false;

  /** None is made ahead. */
  takeNow(): undefined {
    return undefined;
  }

  readonly take = async (wanted: () => boolean): Promise<Instance | undefined> => {
    this.wanted = wanted;
    await this.held;
    if (this.failing) throw new Error("cannot start");
    if (!wanted()) return undefined;
    const instance = new FakeInstance();
    this.instances.push(instance);
    return instance;
  };
}

class FakeInstance implements Instance {
  readonly under: PromiseWithResolvers<void>[] = [];
  readonly abandoned: GuestRequest[] = [];
  isDisposed = false;

  handle(request: GuestRequest): Promise<void> {
    const handled = Promise.withResolvers<void>();
    this.under.push(handled);
    request.running?.(true);
    request.running?.(false);
    return handled.promise;
  }

  abandon(request: GuestRequest): void {
    this.abandoned.push(request);
  }

  memoryBytes(): number {
    return 0;
  }

  breach(): undefined {
    return undefined;
  }

  isWoken(): boolean {
    return false;
  }

  dispose(): void {
    this.isDisposed = true;
  }
}

const request: GuestRequest = {
  method: "GET",
  target: "/",
  scheme: "http",
  authority: "test",
  headers: [],
  body: emptyQueue(),
};
const response = {} as GuestResponse;
const idle = (): undefined => undefined;
const wanted = (): boolean => true;

function opened(reuse: Partial<InstanceReuse> = {}): {
  readonly made: Made;
  readonly clock: FakeClock;
  readonly shared: SharedInstances;
  readonly take: () => Promise<Instance>;
} {
  const made = new Made();
  const clock = new FakeClock();
  const shared = new SharedInstances(made, { requestsMax: 4, atOnceMax: 2, idleMs: 1000, ...reuse }, clock);
  return { made, clock, shared, take: async () => shared.takeNow(wanted) ?? (await shared.take(wanted, idle))! };
}

describe("instances that are shared", () => {
  test("are given as many requests at once as they may have, and then there is another one", async () => {
    const { made, take } = opened();
    const uses = [await take(), await take(), await take()];
    for (const use of uses) void use.handle(request, response);
    expect(made.instances.map(({ under }) => under.length)).toEqual([2, 1]);
  });

  test("are begun once for a crowd that comes while they start", async () => {
    const { made, take } = opened({ atOnceMax: 16 });
    await Promise.all([take(), take(), take()]);
    expect(made.instances).toHaveLength(1);
  });

  test("are dropped after the last of their requests, and not while one of them runs", async () => {
    const { made, take } = opened({ requestsMax: 2 });
    const [one, two] = [await take(), await take()];
    for (const use of [one, two]) void use.handle(request, response);
    const [instance] = made.instances;
    instance!.under[1]!.resolve();
    await Promise.resolve();
    two.dispose();
    expect([instance!.isDisposed, (await take()) === undefined]).toEqual([false, false]);
    expect(made.instances).toHaveLength(2);
    instance!.under[0]!.resolve();
    await Promise.resolve();
    one.dispose();
    expect(instance!.isDisposed).toBe(true);
  });

  test("are dropped when they have been idle for long, which each request puts off", async () => {
    const { made, clock, take } = opened();
    (await take()).dispose();
    await clock.advance(900);
    (await take()).dispose();
    await clock.advance(900);
    expect(made.instances[0]!.isDisposed).toBe(false);
    await clock.advance(101);
    expect([made.instances.length, made.instances[0]!.isDisposed]).toEqual([1, true]);
    await take();
    expect(made.instances).toHaveLength(2);
  });

  test("are given no further request after one has failed, and dropped when the others are over", async () => {
    const { made, take } = opened();
    const [one, two] = [await take(), await take()];
    const failing = one.handle(request, response);
    void two.handle(request, response);
    const [instance] = made.instances;
    instance!.under[0]!.reject(new Error("trap"));
    await expect(failing).rejects.toThrow("trap");
    one.dispose();
    await take();
    expect([made.instances.length, instance!.isDisposed]).toEqual([2, false]);
    two.dispose();
    expect(instance!.isDisposed).toBe(true);
  });

  test("are asked to leave off a request that was given up, and have time for others when they have", async () => {
    const { made, take } = opened();
    const [one, two] = [await take(), await take()];
    for (const use of [one, two]) void use.handle(request, response);
    const [instance] = made.instances;
    one.dispose();
    expect(instance!.abandoned).toMatchObject([request]);
    await take();
    expect(made.instances).toHaveLength(2);
    instance!.under[0]!.resolve();
    await new Promise(setImmediate);
    (await take()).dispose();
    expect([made.instances.length, instance!.isDisposed]).toEqual([2, false]);
    two.dispose();
    expect(instance!.isDisposed).toBe(true);
  });

  test("are dropped when nothing but given up requests is in them", async () => {
    const { made, take } = opened();
    const one = await take();
    void one.handle(request, response);
    one.dispose();
    expect(made.instances[0]!.isDisposed).toBe(true);
  });

  test("that are interrupted while one request is at work take the others with them", async () => {
    const { made, take } = opened();
    const [one, two] = [await take(), await take()];
    const [instance] = made.instances;
    instance!.handle = ({ running }) => {
      running?.(true);
      return new Promise(() => undefined);
    };
    const stopped = one.handle(request, response);
    instance!.handle = () => new Promise(() => undefined);
    const other = two.handle(request, response);
    expect([two.isWoken(), one.isWoken()]).toEqual([true, true]);
    one.dispose();
    for (const handled of [stopped, other]) await expect(handled).rejects.toMatchObject({ code: "GUEST_FAILED" });
    two.dispose();
    expect([instance!.isDisposed, instance!.abandoned]).toEqual([true, []]);
  });

  test("that cannot start fail for all who wait, and are tried anew by the next", async () => {
    const { made, take } = opened({ atOnceMax: 16 });
    made.failing = true;
    const takes = [take(), take()];
    for (const taking of takes) await expect(taking).rejects.toThrow("cannot start");
    made.failing = false;
    await take();
    expect(made.instances).toHaveLength(1);
  });

  test("are not begun for nobody, and forgotten when their start was lost", async () => {
    const { made, shared, take } = opened();
    expect(await shared.take(() => false, idle)).toBeUndefined();
    const held = Promise.withResolvers<void>();
    made.held = held.promise;
    const lost = take();
    made.held = undefined;
    shared.forgetStarting();
    await take();
    held.resolve();
    await lost;
    expect(made.instances).toHaveLength(2);
  });

  test("are wanted as long as they are kept, by whomever", async () => {
    const { made, clock, take } = opened();
    (await take()).dispose();
    expect(made.wanted()).toBe(true);
    await clock.advance(1001);
    expect(made.wanted()).toBe(false);
  });

  test("one for each request is what is made", async () => {
    const { made, take } = opened({ requestsMax: 1 });
    const use = await take();
    expect(use).toBe(made.instances[0]);
  });

  test("are all dropped at the end", async () => {
    const { made, shared, take } = opened();
    const use = await take();
    shared.close();
    use.dispose();
    expect(made.instances[0]!.isDisposed).toBe(true);
  });
});
