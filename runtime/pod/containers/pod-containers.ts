import type { Clock } from "@shallop/sdk/internal";
import type { PodExit, PodObserver } from "../pod-runtime.ts";
import type { EndedRun } from "../pod-state.ts";
import { ContainerLoop } from "./container-loop.ts";
import type { PodPlan } from "./container-launch.ts";
import type { ContainerRun, ContainerStarter, FoundContainer } from "./container-run.ts";
import type { ContainerView } from "./container-view.ts";

export interface PodContainersSettings {
  readonly plan: PodPlan;
  readonly starter: ContainerStarter;
  readonly clock: Clock;
  changed(views: readonly ContainerView[]): void;
  noticed(notice: Parameters<PodObserver["noticed"]>[1]): void;
}

/**
 * The containers of one pod: those that initialise it one after the other, sidecars among them from their place on, then
 * the others together; and they end in the reverse order.
 */
export class PodContainers {
  readonly #settings: PodContainersSettings;
  readonly #loops: readonly ContainerLoop[];
  readonly #sidecars: Promise<unknown>[] = [];
  #stopping = false;

  constructor(settings: PodContainersSettings) {
    this.#settings = settings;
    const { plan, starter, clock } = settings;
    this.#loops = plan.containers.map(
      (launch) =>
        new ContainerLoop(launch, {
          starter,
          clock,
          policy: plan.restart,
          ...(plan.restartAfterMs === undefined ? {} : { restartAfterMs: plan.restartAfterMs }),
          graceMs: plan.graceMs,
          changed: () => settings.changed(this.views),
          noticed: (notice) => settings.noticed(notice),
        }),
    );
  }

  get views(): readonly ContainerView[] {
    return this.#loops.map(({ view }) => view);
  }

  /** Resolves when every container that serves is there to be counted on. Rejects when one has ended for good before. */
  async started(): Promise<void> {
    await Promise.all(this.#mains().map((loop) => loop.started));
  }

  /** @throws PodFault NOT_RUNNING */
  running(name: string): ContainerRun | undefined {
    return this.#loops.find(({ launch }) => launch.name === name)?.running();
  }

  /** Runs them until the pod has ended for good. Resolves with how. `found` is what an earlier agent has left. */
  async run(found: ReadonlyMap<string, FoundContainer> = new Map()): Promise<PodExit> {
    const failed = await this.#initialise(found);
    if (failed !== undefined) {
      await this.#stopSidecars(this.#settings.plan.graceMs);
      return { ...failed, message: `an init container failed: ${failed.message}` };
    }
    const runs = await Promise.all(this.#mains().map((loop) => loop.run(found.get(loop.launch.name))));
    await this.#stopSidecars(this.#settings.plan.graceMs);
    return exitOf(runs.filter((run) => run !== undefined));
  }

  /** Ends all of them for good, sidecars last. Resolves when all have ended. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    const { clock } = this.#settings;
    const beganMs = clock.nowMs();
    const others = this.#loops.filter(({ launch }) => launch.kind !== "sidecar");
    await Promise.all(others.map((loop) => loop.stop(graceMs)));
    await this.#stopSidecars(Math.max(0, graceMs - (clock.nowMs() - beganMs)));
  }

  /** Lets go of them; they run on. */
  release(): void {
    this.#stopping = true;
    for (const loop of this.#loops) loop.release();
  }

  /** Undefined: all have succeeded, or the pod is being stopped. */
  async #initialise(found: ReadonlyMap<string, FoundContainer>): Promise<EndedRun | undefined> {
    // Where a later container has begun, those that initialise have ended: they are not run again.
    const isDone = this.#mains().some(({ launch }) => found.has(launch.name));
    for (const loop of this.#loops) {
      const { name, kind } = loop.launch;
      if (this.#stopping || kind === "main") break;
      if (kind === "sidecar") {
        this.#sidecars.push(loop.run(found.get(name)));
        await loop.started.catch(() => undefined);
        continue;
      }
      if (isDone && !found.has(name)) {
        loop.skip(this.#settings.clock.wallMs());
        continue;
      }
      const run = await loop.run(found.get(name));
      if (run !== undefined && run.exitCode !== 0) return run;
    }
    return undefined;
  }

  async #stopSidecars(graceMs: number): Promise<void> {
    const sidecars = this.#loops.filter(({ launch }) => launch.kind === "sidecar");
    for (const loop of sidecars.toReversed()) await loop.stop(graceMs);
    await Promise.all(this.#sidecars);
  }

  #mains(): readonly ContainerLoop[] {
    return this.#loops.filter(({ launch }) => launch.kind === "main");
  }
}

/** Of a pod that has ended: the first failure, else success. */
function exitOf(runs: readonly EndedRun[]): PodExit {
  const worst = runs.find(({ exitCode }) => exitCode !== 0) ?? runs[0];
  if (worst === undefined) return { exitCode: 0, reason: "Completed", message: "" };
  const { exitCode, reason, message } = worst;
  return { exitCode, reason, message };
}
