import { readdir } from "node:fs/promises";
import type { Clock, Log, Timer } from "@shallop/sdk/internal";
import type { AttachRequest, ContainerProcess, ExecRequest } from "../pod/container-process.ts";
import type { Volume } from "../pod/containers/container-launch.ts";
import type { FoundContainer } from "../pod/containers/container-run.ts";
import { PodContainers } from "../pod/containers/pod-containers.ts";
import {
  type PodAdjustment,
  type PodCounters,
  type PodExit,
  PodFault,
  type PodObserver,
  type RunningPod,
} from "../pod/pod-runtime.ts";
import { confineContainer, pauseContainer, resizeContainer, sharePod } from "./adjust.ts";
import { attachTo } from "./attach.ts";
import type { ContainerPod } from "./container-pod.ts";
import { ContainerRuns, nativeOf } from "./container-runs.ts";
import { type LaunchRecord, type PlannedLaunch, readLaunch, writeLaunch } from "./launch-record.ts";
import { outgrownRoot } from "./disk-looks.ts";
import { noticeRefusals } from "./limit-notices.ts";
import type { NativePod } from "./native-pod.ts";
import { containerFiles, containerNames, podKey } from "./pod-files.ts";
import { type Remains, sandboxHooks, type Start, type StartTools, usersFound } from "./start.ts";
import { PodVolumes } from "./volumes.ts";

export interface ContainerPodsSettings {
  /** Of the node's native pods. */
  readonly directory: string;
  readonly tools: StartTools;
  readonly observer: PodObserver;
  readonly clock: Clock;
  readonly log: Log;
  /** Timers that are to be cancelled when the agent ends. */
  readonly watching: Set<Timer>;
}

/** Pods of several containers: a sandbox that they share, and a container each. */
export class ContainerPods {
  readonly #settings: ContainerPodsSettings;
  readonly #pods = new Map<string, ContainerPod>();
  readonly #runs: ContainerRuns;

  constructor(settings: ContainerPodsSettings) {
    this.#settings = settings;
    this.#runs = new ContainerRuns({ ...settings, pods: this.#pods });
  }

  get keys(): readonly string[] {
    return [...this.#pods.values()].map(({ names }) => names.key);
  }

  has(uid: string): boolean {
    return this.#pods.has(uid);
  }

  /** Resolves when what the containers share is there, and they have begun. @throws PodFault */
  async start(launch: PlannedLaunch, start: Start, signal: AbortSignal): Promise<RunningPod> {
    const { tools } = this.#settings;
    await this.#undoAll(start);
    try {
      for (const hook of sandboxHooks) {
        await hook.run(start, tools);
        signal.throwIfAborted();
      }
      await tools.network.join(start.address ?? "", launch.plan.networks ?? []);
      if (launch.plan.isAlone === true) await tools.network.isolate(start.address ?? "");
      const volumes = new PodVolumes(tools.kernel, start.files.volumes, launch.plan);
      await volumes.open(start.users?.first ?? 0);
      const pod = this.#podOf({ launch, address: start.address ?? "" }, start);
      await remember(pod);
      signal.throwIfAborted();
      return this.#begin(pod, new Map());
    } catch (error) {
      await this.#undoAll(start).catch(() => undefined);
      throw error;
    }
  }

  async stop(uid: string, graceMs: number): Promise<void> {
    const pod = this.#pods.get(uid);
    if (pod === undefined) return;
    pod.stopping = true;
    const { kernel } = this.#settings.tools;
    // What is frozen hears no signal.
    for (const native of pod.running.values()) await pauseContainer(native, false, kernel);
    await pod.containers.stop(graceMs);
    await pod.over;
  }

  exec(uid: string, container: string, request: ExecRequest): Promise<ContainerProcess> {
    return this.#runs.exec(this.#runningIn(uid, container), request);
  }

  attach(uid: string, container: string, request: AttachRequest): ContainerProcess {
    return attachTo(this.#runningIn(uid, container), request, this.#settings.tools.kernel);
  }

  /** Gives volumes of files what they hold by now. One that does not run any more has none. */
  async refresh(uid: string, volumes: readonly Volume[]): Promise<void> {
    const pod = this.#pods.get(uid);
    if (pod !== undefined && !pod.stopping) await pod.volumes.refresh(volumes, pod.start.users?.first ?? 0);
  }

  /** Freezes or thaws all containers, gives each its limits, those too that start later, and the pod its networks and shares. @throws PodFault */
  async adjust(uid: string, { paused, limits, networks, shares }: PodAdjustment): Promise<void> {
    const pod = this.#pods.get(uid);
    if (pod === undefined || pod.stopping) throw new PodFault("NOT_RUNNING", "the pod does not run");
    const { kernel, network } = this.#settings.tools;
    await network.join(pod.start.address ?? "", networks);
    for (const native of pod.running.values()) await confineContainer(native, shares, kernel);
    await sharePod(pod.names.cgroup, shares, kernel, (notice) => this.#settings.observer.noticed(uid, notice));
    pod.launch = { ...pod.launch, shares, plan: { ...pod.launch.plan, networks } };
    for (const limit of limits) {
      const native = pod.running.get(limit.container);
      if (native !== undefined) await resizeContainer(native, limit, kernel);
      pod.limits.set(limit.container, limit);
    }
    await remember(pod);
    for (const native of pod.running.values()) await pauseContainer(native, paused, kernel);
  }

  /** Goes on with a pod of an earlier agent. Undefined: it is none of these, or nothing of it can be gone on with. */
  async takeOver(start: Remains): Promise<RunningPod | undefined> {
    const record = await readLaunch(start.files);
    if (record === undefined || podKey(record.launch.uid) !== start.names.key) return undefined;
    const { tools } = this.#settings;
    const { launch, address } = record;
    const users = await usersFound(start, tools);
    tools.network.belongs(address, launch);
    await tools.network.join(address, launch.plan.networks ?? []);
    const whole: Start = {
      ...start,
      ...this.#sandboxOf(launch),
      address,
      ...(users === undefined ? {} : { users }),
    };
    const pod = this.#podOf(record, whole);
    return this.#begin(pod, await this.#runs.find(pod));
  }

  counters(): Promise<readonly PodCounters[]> {
    const { kernel } = this.#settings.tools;
    const counted = [...this.#pods.values()].map(async ({ launch, names, running }) => ({
      uid: launch.uid,
      network: await kernel.traffic(names.link),
      containers: await Promise.all(
        [...running].map(async ([container, native]) => ({
          container,
          ...(await kernel.cgroups.usage(native.names.runtimeCgroup)),
        })),
      ),
    }));
    return Promise.all(counted);
  }

  /** Looks whether a volume or a root has outgrown its bound. */
  async lookAtDisks(): Promise<void> {
    const { kernel } = this.#settings.tools;
    for (const pod of this.#pods.values()) {
      if (pod.stopping) continue;
      let outgrown = await pod.volumes.outgrown();
      for (const [container, native] of pod.running) outgrown ??= await outgrownRoot(native, kernel, container);
      if (outgrown !== undefined) void this.#evict(pod, { exitCode: 137, reason: "Evicted", message: outgrown });
    }
  }

  /** Looks at what limits have refused. */
  async look(): Promise<void> {
    const { observer } = this.#settings;
    const { cgroups } = this.#settings.tools.kernel;
    for (const pod of this.#pods.values()) {
      if (pod.stopping) continue;
      for (const [container, native] of pod.running) await noticeRefusals(native, { cgroups, observer, container });
    }
  }

  /** Lets go of all pods; they run on. */
  async release(): Promise<void> {
    for (const pod of this.#pods.values()) {
      pod.deadline?.cancel();
      pod.containers.release();
      for (const container of pod.running.values()) await container.output[Symbol.asyncDispose]();
    }
  }

  /** What all containers of a pod start from. */
  #sandboxOf(launch: PlannedLaunch): Pick<Start, "launch" | "hostname" | "logged"> {
    return {
      launch: { ...launch, image: nativeOf(launch.image) },
      hostname: (launch.hostname ?? launch.name).slice(0, 63),
      logged: () => undefined,
    };
  }

  #podOf(record: LaunchRecord, start: Start): ContainerPod {
    const { launch } = record;
    const { tools, observer, clock } = this.#settings;
    const { uid, plan } = launch;
    const { names, files } = start;
    const containers = new PodContainers({
      plan,
      clock,
      starter: {
        // One at a time: each joins the IPC namespace of one that runs.
        start: (container, restartCount, signal) => {
          const started = pod.starting.then(() => this.#runs.start(pod, { container, restartCount }, signal));
          pod.starting = started.catch(() => undefined);
          return started;
        },
      },
      changed: (views) => observer.containers?.(uid, views),
      noticed: (notice) => observer.noticed(uid, notice),
    });
    const volumes = new PodVolumes(tools.kernel, files.volumes, plan);
    const pod: ContainerPod = {
      launch,
      names,
      files,
      start,
      volumes,
      containers,
      running: new Map(),
      limits: new Map(record.limits?.map((limit) => [limit.container, limit])),
      starting: Promise.resolve(),
      over: Promise.resolve(),
      stopping: false,
    };
    return pod;
  }

  #begin(pod: ContainerPod, found: ReadonlyMap<string, FoundContainer>): RunningPod {
    const { tools, clock } = this.#settings;
    const { uid, namespace, name, plan, port } = pod.launch;
    const { address: host = "" } = pod.start;
    const gate = tools.machine.rootless?.gate;
    this.#pods.set(uid, pod);
    pod.over = pod.containers.run(found).then((exit) => this.#over(pod, exit));
    if (plan.activeDeadlineMs !== undefined) {
      const verdict = {
        exitCode: 137,
        reason: "DeadlineExceeded",
        message: "the pod was active longer than its deadline",
      };
      pod.deadline = clock.after(plan.activeDeadlineMs, () => void this.#evict(pod, verdict));
    }
    return {
      uid,
      namespace,
      name,
      endpoint: { protocol: "http1", host, port, ...(gate === undefined ? {} : { gate }) },
      ...(plan.isAlone === true ? {} : { ip: host }),
      containerId: tools.runtime.containerId(pod.names),
      // They go on while the agent takes over others, before it has anyone to tell of it.
      get containers() {
        return pod.containers.views;
      },
    };
  }

  async #evict(pod: ContainerPod, verdict: PodExit): Promise<void> {
    if (pod.stopping || pod.verdict !== undefined) return;
    pod.verdict = verdict;
    const { observer } = this.#settings;
    observer.noticed(pod.launch.uid, { type: "Warning", reason: verdict.reason, message: verdict.message });
    await pod.containers.stop(0);
  }

  /** Every container has ended for good. */
  async #over(pod: ContainerPod, exit: PodExit): Promise<void> {
    const { observer, log } = this.#settings;
    const { uid } = pod.launch;
    pod.deadline?.cancel();
    try {
      await this.#undoAll(pod);
    } catch (error) {
      log.error("a pod has ended, and not all of it could be removed", error, { uid });
    }
    if (this.#pods.get(uid) === pod) this.#pods.delete(uid);
    if (!pod.stopping) observer.exited(uid, pod.verdict ?? exit);
  }

  #runningIn(uid: string, container: string): NativePod {
    const native = this.#pods.get(uid)?.running.get(container);
    if (native !== undefined) return native;
    throw new PodFault("NOT_RUNNING", `container ${container} does not run`);
  }

  /** Everything that a pod of these has left or has, containers first. */
  async #undoAll(remains: Remains): Promise<void> {
    for (const key of await readdir(remains.files.containers).catch(() => [])) {
      await this.#runs.undo({
        names: containerNames(remains.names, key),
        files: containerFiles(remains.files, key),
      });
    }
    const { names, files } = remains;
    for (const hook of sandboxHooks.toReversed()) await hook.undo({ names, files }, this.#settings.tools);
  }
}

/** What the next agent needs to go on with it. */
async function remember({ launch, files, start, limits }: ContainerPod): Promise<void> {
  await writeLaunch(files, { launch, address: start.address ?? "", limits: [...limits.values()] });
}
