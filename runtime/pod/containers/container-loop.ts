import { type Clock, describeError } from "@shallop/sdk/internal";
import { crashBackoffMs, nextCrashCount } from "../crash-backoff.ts";
import { type PodExit, PodFault, type PodObserver } from "../pod-runtime.ts";
import type { EndedRun, RestartPolicy } from "../pod-state.ts";
import type { CheckResult } from "@shallop/sdk/wire";
import { carryOut, type Outcome } from "./action.ts";
import { CheckLog } from "./check-log.ts";
import type { ContainerLaunch, Probe } from "./container-launch.ts";
import type { ContainerRun, ContainerStarter, FoundContainer } from "./container-run.ts";
import type { ContainerView } from "./container-view.ts";
import { isRestarted } from "./restart-rule.ts";

type Notice = Parameters<PodObserver["noticed"]>[1];

export interface LoopTools {
  readonly starter: ContainerStarter;
  readonly clock: Clock;
  readonly policy: RestartPolicy;
  /** The first wait before it is started again, where the pod asks for one; see crash-backoff.ts. */
  readonly restartAfterMs?: number;
  readonly graceMs: number;
  /** The view is another one. */
  changed(): void;
  noticed(notice: Notice): void;
}

/** A hook that takes longer than any grace has hung. */
const postStartTimeoutMs = 120_000;
// What nothing listens on is asked again this soon: long against what a connection costs, short against any start.
const listenPollMs = 5;

/** Runs one container again and again, as its kind and the pod's policy say, until it has ended for good. */
export class ContainerLoop {
  readonly launch: ContainerLaunch;
  readonly #tools: LoopTools;
  readonly #stopping = new AbortController();
  readonly #started = Promise.withResolvers<void>();
  #view: ContainerView;
  #run: ContainerRun | undefined;

  constructor(launch: ContainerLaunch, tools: LoopTools) {
    this.launch = launch;
    this.#tools = tools;
    const { name, kind, imageId } = launch;
    const now = { phase: "waiting", reason: "PodInitializing" } as const;
    this.#view = { name, kind, imageId, now, started: false, ready: false, restartCount: 0 };
    this.#started.promise.catch(() => undefined);
  }

  get view(): ContainerView {
    return this.#view;
  }

  /** Resolves when it has been ready to be counted on for the first time. Rejects when it ended for good before. */
  get started(): Promise<void> {
    return this.#started.promise;
  }

  /** The container as it runs now. @throws PodFault NOT_RUNNING */
  running(): ContainerRun {
    if (this.#run !== undefined) return this.#run;
    throw new PodFault("NOT_RUNNING", `container ${this.launch.name} does not run`);
  }

  /** Says that it need not run any more, because an earlier agent has seen it end. */
  skip(nowWallMs: number): void {
    const run = { exitCode: 0, reason: "Completed", message: "", finishedWallMs: nowWallMs };
    this.#show({ now: { phase: "ended", run }, started: false, ready: true });
    this.#started.resolve();
  }

  /** Resolves with its last run when it has ended for good; undefined: it was stopped before it had run. */
  async run(found?: FoundContainer): Promise<EndedRun | undefined> {
    let crashCount = 0;
    let next: FoundContainer | undefined = found;
    if (found !== undefined) this.#recall(found);
    for (;;) {
      if (this.#stopping.signal.aborted) return this.#over(this.#view.last);
      const beganMs = this.#tools.clock.nowMs();
      const ended = await this.#once(next);
      next = undefined;
      const isLast =
        this.#stopping.signal.aborted || !isRestarted(this.launch.kind, this.#tools.policy, ended.exitCode);
      if (isLast) return this.#over(ended);
      crashCount = nextCrashCount(crashCount, this.#tools.clock.nowMs() - beganMs, this.#tools.restartAfterMs);
      await this.#wait(crashCount, ended);
      // Together: its end is that of the run before, and who sees both counts on that.
      const now = { phase: "waiting", reason: "ContainerCreating" } as const;
      this.#show({ restartCount: this.#view.restartCount + 1, now });
    }
  }

  /** Ends it for good. Resolves when it has ended. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping.abort(new Error("the pod is being stopped"));
    await this.#end(graceMs);
  }

  /** Lets go of it: it runs on, and nobody looks. */
  release(): void {
    this.#stopping.abort(new Error("the node agent is stopping"));
  }

  async #once(found: FoundContainer | undefined): Promise<EndedRun> {
    const { clock, starter } = this.#tools;
    if (found?.kind === "ended") return this.#showEnd(found.run);
    const startWallMs = clock.wallMs();
    let run: ContainerRun;
    try {
      this.#show({ now: { phase: "waiting", reason: "ContainerCreating" } });
      run = found?.run ?? (await starter.start(this.launch, this.#view.restartCount, this.#stopping.signal));
    } catch (error) {
      const message = describeError(error);
      if (!this.#stopping.signal.aborted) this.#tools.noticed({ type: "Warning", reason: "Failed", message });
      this.#failure = error;
      return this.#ended({ exitCode: 128, reason: "StartError", message }, startWallMs);
    }
    this.#run = run;
    // A stop that came while it started.
    if (this.#stopping.signal.aborted) void run.stop(0);
    const exit = await this.#live(run, found !== undefined);
    this.#run = undefined;
    return this.#ended(exit, run.startedWallMs);
  }

  /** Why it could not be started, for whoever waits for its first start. */
  #failure: unknown;

  async #live(run: ContainerRun, isOld: boolean): Promise<PodExit> {
    const { startup, readiness, listensOn, postStart, name } = this.launch;
    const { clock } = this.#tools;
    const over = new AbortController();
    void run.ended.then(() => over.abort(new Error("the container has ended")));
    const signal = AbortSignal.any([over.signal, this.#stopping.signal]);
    if (!isOld && postStart !== undefined) {
      const { failure } = await carryOut(postStart, run, { clock, timeoutMs: postStartTimeoutMs, signal });
      if (failure !== undefined && !signal.aborted) {
        const message = `the postStart hook of ${name} failed: ${failure}`;
        this.#tools.noticed({ type: "Warning", reason: "FailedPostStartHook", message });
        void this.#end(this.#tools.graceMs);
      }
    }
    const now = { phase: "running", startedWallMs: run.startedWallMs } as const;
    const isStarted = isOld || (startup === undefined && listensOn === undefined);
    const checks = readiness === undefined ? {} : { checks: new CheckLog() };
    this.#show({
      now,
      containerId: run.id,
      started: isStarted,
      ready: isStarted && readiness === undefined,
      ...checks,
    });
    if (!isOld) {
      this.#tools.noticed({ type: "Normal", reason: "Started", message: `started container ${name} (${run.id})` });
    }
    void this.#watch(run, isStarted, signal).catch(() => undefined);
    return run.ended;
  }

  /** Probes it: startup first, then liveness and readiness side by side. */
  async #watch(run: ContainerRun, isStarted: boolean, signal: AbortSignal): Promise<void> {
    const { startup, liveness, readiness, listensOn } = this.launch;
    if (!isStarted) {
      if (listensOn !== undefined) await this.#untilListening(run, listensOn, signal);
      if (startup !== undefined) {
        const succeeded = await this.#probe(startup, run, { signal, isOver: (up) => up !== undefined });
        if (succeeded !== true) return this.#unhealthy("Startup", run);
      }
      this.#show({ started: true, ready: readiness === undefined });
    }
    this.#started.resolve();
    const looks: Promise<void>[] = [];
    if (readiness !== undefined) {
      const isOver = (up: boolean | undefined): boolean => {
        if (up !== undefined && up !== this.#view.ready) this.#show({ ready: up });
        return false;
      };
      const { checks } = this.#view;
      looks.push(this.#probe(readiness, run, { signal, isOver, checks }).then(() => undefined));
    }
    if (liveness !== undefined) {
      const dead = this.#probe(liveness, run, { signal, isOver: (up) => up === false });
      looks.push(dead.then(() => (signal.aborted ? undefined : this.#unhealthy("Liveness", run))));
    }
    await Promise.all(looks);
  }

  async #untilListening(run: ContainerRun, port: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#tools;
    for (;;) {
      signal.throwIfAborted();
      const { failure } = await carryOut({ kind: "tcp", port }, run, { clock, timeoutMs: 250, signal });
      if (failure === undefined) return;
      await clock.sleep(listenPollMs, signal);
    }
  }

  /**
   * Probes at the probe's pace. `isOver` gets true after as many successes in a row as it takes, false after as many
   * failures, undefined in between, and ends it. Resolves with the last of these.
   */
  async #probe(
    probe: Probe,
    run: ContainerRun,
    look: {
      readonly signal: AbortSignal;
      readonly isOver: (up: boolean | undefined) => boolean;
      readonly checks?: CheckLog | undefined;
    },
  ): Promise<boolean | undefined> {
    const { clock } = this.#tools;
    const { signal, isOver } = look;
    await clock.sleep(probe.initialDelayMs, signal);
    let successes = 0;
    let failures = 0;
    for (;;) {
      const startWallMs = clock.wallMs();
      const outcome = await carryOut(probe.action, run, { clock, timeoutMs: probe.timeoutMs, signal });
      signal.throwIfAborted();
      look.checks?.add(checkResult(outcome, startWallMs, clock.wallMs()));
      const { failure } = outcome;
      if (failure === undefined) [successes, failures] = [successes + 1, 0];
      else [successes, failures] = [0, failures + 1];
      if (failures === 1 || failures === probe.failureThreshold) {
        const message = `a probe (${probe.action.kind}) of ${this.launch.name} failed: ${failure ?? ""}`;
        this.#tools.noticed({ type: "Warning", reason: "Unhealthy", message });
      }
      const up = successes >= probe.successThreshold ? true : failures >= probe.failureThreshold ? false : undefined;
      if (isOver(up)) return up;
      await clock.sleep(probe.periodMs, signal);
    }
  }

  async #unhealthy(probe: "Startup" | "Liveness", run: ContainerRun): Promise<void> {
    const message = `container ${this.launch.name} failed its ${probe.toLowerCase()} probe and is ended`;
    this.#tools.noticed({ type: "Normal", reason: "Killing", message });
    if (this.#run === run) await this.#end(this.#tools.graceMs);
  }

  /** The hook before the end, then the end; both within the grace. */
  async #end(graceMs: number): Promise<void> {
    const run = this.#run;
    if (run === undefined) return;
    const { clock } = this.#tools;
    const { preStop, name } = this.launch;
    const beganMs = clock.nowMs();
    if (preStop !== undefined && graceMs > 0) {
      const over = new AbortController();
      void run.ended.then(() => over.abort(new Error("the container has ended")));
      const { failure } = await carryOut(preStop, run, { clock, timeoutMs: graceMs, signal: over.signal });
      if (failure !== undefined && !over.signal.aborted) {
        const message = `the preStop hook of ${name} failed: ${failure}`;
        this.#tools.noticed({ type: "Warning", reason: "FailedPreStopHook", message });
      }
    }
    await run.stop(Math.max(0, graceMs - (clock.nowMs() - beganMs)));
  }

  async #wait(crashCount: number, ended: EndedRun): Promise<void> {
    const waitMs = crashBackoffMs(crashCount, this.#tools.restartAfterMs);
    const { name } = this.launch;
    if (waitMs === 0) return;
    const message = `back-off ${String(waitMs / 1000)}s restarting failed container ${name}: ${ended.reason}`;
    this.#show({ now: { phase: "waiting", reason: "CrashLoopBackOff", message } });
    this.#tools.noticed({ type: "Warning", reason: "BackOff", message });
    await this.#tools.clock.sleep(waitMs, this.#stopping.signal).catch(() => undefined);
  }

  #ended(exit: PodExit, startedWallMs: number): EndedRun {
    if (exit.reason === "OOMKilled") {
      this.#tools.noticed({ type: "Warning", reason: "OOMKilled", message: `${this.launch.name}: ${exit.message}` });
    }
    return this.#showEnd({ ...exit, startedWallMs, finishedWallMs: this.#tools.clock.wallMs() });
  }

  #recall(found: FoundContainer): void {
    const last = found.kind === "running" ? found.last : undefined;
    this.#show({ restartCount: found.restartCount, ...(last === undefined ? {} : { last }) });
  }

  #showEnd(run: EndedRun): EndedRun {
    this.#show({ last: run, started: false, ready: false, now: { phase: "ended", run } });
    return run;
  }

  #over(run: EndedRun | undefined): EndedRun | undefined {
    if (run !== undefined) {
      const ready = this.launch.kind === "init" && run.exitCode === 0;
      this.#view = withoutLast({ ...this.#view, now: { phase: "ended", run }, started: false, ready });
      this.#tools.changed();
    }
    this.#started.reject(this.#failure ?? run);
    return run;
  }

  #show(change: Partial<ContainerView>): void {
    this.#view = { ...this.#view, ...change };
    this.#tools.changed();
  }
}

/** One that was not answered has no code of its own; Docker's for that is -1. */
const checkResult = ({ failure, said, exitCode }: Outcome, startWallMs: number, endWallMs: number): CheckResult => ({
  ...{ startWallMs, endWallMs },
  exitCode: exitCode ?? (failure === undefined ? 0 : -1),
  output: said ?? failure ?? "",
});

function withoutLast({ last: _last, ...view }: ContainerView): ContainerView {
  return view;
}
