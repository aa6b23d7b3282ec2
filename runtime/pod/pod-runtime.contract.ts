import { describe, expect, test } from "vitest";
import type { PodExit, PodLaunch, PodLogLine, PodObserver, PodRuntime } from "./pod-runtime.ts";

/** A runtime under test, with an image that it can run and one that dies at once. */
export interface RuntimeUnderTest extends AsyncDisposable {
  readonly runtime: PodRuntime;
  /** A launch of a program that becomes ready; a new uid each time. */
  launch(): PodLaunch;
  /** Makes a running pod end by itself. */
  kill(uid: string): Promise<void>;
}

/** What a runtime told its observer. */
export class RecordingObserver implements PodObserver {
  readonly exits: { readonly uid: string; readonly exit: PodExit }[] = [];
  readonly lines: { readonly uid: string; readonly line: PodLogLine }[] = [];
  readonly notices: { readonly uid: string; readonly reason: string }[] = [];

  exited(uid: string, exit: PodExit): void {
    this.exits.push({ uid, exit });
  }

  logged(uid: string, line: PodLogLine): void {
    this.lines.push({ uid, line });
  }

  noticed(uid: string, notice: { readonly reason: string }): void {
    this.notices.push({ uid, reason: notice.reason });
  }
}

/** Every PodRuntime must pass: the real ones, and the fake that the agent's tests lean on. */
export function podRuntimeContract(
  name: string,
  open: (observer: RecordingObserver) => Promise<RuntimeUnderTest>,
): void {
  const signal = AbortSignal.timeout(60_000);

  describe(`PodRuntime contract: ${name}`, () => {
    test("a started pod is the one that was launched, and can be found again", async () => {
      await using it = await open(new RecordingObserver());
      const launch = it.launch();
      await it.runtime.prepare(launch.image, signal);
      const pod = await it.runtime.start(launch, signal);
      expect(pod).toMatchObject({ uid: launch.uid, namespace: launch.namespace, name: launch.name });
      expect((await it.runtime.adopt()).map(({ uid }) => uid)).toContain(launch.uid);
      await it.runtime.stop(launch.uid, 0);
    });

    test("prepare and start may be repeated", async () => {
      await using it = await open(new RecordingObserver());
      const launch = it.launch();
      await it.runtime.prepare(launch.image, signal);
      await it.runtime.prepare(launch.image, signal);
      const first = await it.runtime.start(launch, signal);
      expect(await it.runtime.start(launch, signal)).toEqual(first);
      await it.runtime.stop(launch.uid, 0);
    });

    test("a stopped pod is gone, says nothing of it, and may be stopped again", async () => {
      const observer = new RecordingObserver();
      await using it = await open(observer);
      const launch = it.launch();
      await it.runtime.start(launch, signal);
      await it.runtime.stop(launch.uid, 1000);
      await it.runtime.stop(launch.uid, 0);
      expect((await it.runtime.adopt()).map(({ uid }) => uid)).not.toContain(launch.uid);
      expect(observer.exits).toEqual([]);
    });

    test("stopping what never was is nothing", async () => {
      await using it = await open(new RecordingObserver());
      await it.runtime.stop("00000000-0000-4000-8000-000000000000", 0);
    });

    test("a pod that ends by itself is told once, and can be started again under its uid", async () => {
      const observer = new RecordingObserver();
      await using it = await open(observer);
      const launch = it.launch();
      await it.runtime.start(launch, signal);
      await it.kill(launch.uid);
      await expect.poll(() => observer.exits.length, { timeout: 10_000 }).toBe(1);
      expect(observer.exits[0]?.uid).toBe(launch.uid);
      await it.runtime.stop(launch.uid, 0);
      await it.runtime.start(launch, signal);
      expect((await it.runtime.adopt()).map(({ uid }) => uid)).toContain(launch.uid);
      await it.runtime.stop(launch.uid, 0);
      expect(observer.exits).toHaveLength(1);
    });
  });
}
