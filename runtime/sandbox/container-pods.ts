import { readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, describeError, type Log, type Timer } from "@shallop/sdk/internal";
import type { LocalNativeImage } from "../image/local-image.ts";
import type { AttachRequest, ContainerProcess, ExecRequest } from "../pod/container-process.ts";
import { type ContainerLaunch, type PodPlan, podIpToken, type Volume } from "../pod/containers/container-launch.ts";
import type { ContainerRun, FoundContainer } from "../pod/containers/container-run.ts";
import { PodContainers } from "../pod/containers/pod-containers.ts";
import {
  type ContainerLimits,
  type PodAdjustment,
  type PodCounters,
  type PodExit,
  PodFault,
  type PodLaunch,
  type PodObserver,
  type RunningPod,
} from "../pod/pod-runtime.ts";
import { pauseContainer, resizeContainer } from "./adjust.ts";
import { readContainerEnd, writeContainerEnd } from "./container-end.ts";
import { attachTo } from "./attach.ts";
import { memoryBytesMin } from "./bundle.ts";
import { startExec } from "./exec.ts";
import { explainExit, type NativePod, untilGone } from "./native-pod.ts";
import { runtimeComplaint } from "./oci-runtime.ts";
import {
  containerFiles,
  containerKey,
  containerNames,
  keptRootDirectory,
  type PodFiles,
  podKey,
  type PodNames,
} from "./pod-files.ts";
import { PodOutput } from "./pod-output.ts";
import { readPodRecord, writePodRecord } from "./pod-record.ts";
import { containerHooks, type Remains, sandboxHooks, type Start, type StartHook, type StartTools } from "./start.ts";
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

/** What is remembered of a pod of several containers, so that the next agent can go on with it. */
interface LaunchRecord {
  readonly launch: PlannedLaunch;
  readonly address: string;
  /** Limits that were changed since. */
  readonly limits?: readonly ContainerLimits[];
}

export type PlannedLaunch = PodLaunch & { readonly plan: PodPlan };

export const isPlanned = (launch: PodLaunch): launch is PlannedLaunch => launch.plan !== undefined;

interface ContainerPod {
  readonly launch: PlannedLaunch;
  readonly names: PodNames;
  readonly files: PodFiles;
  readonly start: Start;
  readonly volumes: PodVolumes;
  readonly containers: PodContainers;
  /** Those that run, by name. */
  readonly running: Map<string, NativePod>;
  /** Of containers whose limits are no longer those that they were launched with. */
  readonly limits: Map<string, ContainerLimits>;
  /** The start under way. */
  starting: Promise<unknown>;
  /** Resolves when the pod has ended for good and nothing of it is left. */
  over: Promise<void>;
  stopping: boolean;
  /** Why it was ended from here, when it was. */
  verdict?: PodExit;
  deadline?: Timer;
}

// The runtime writes the process's id as soon as it has made it; a tenth of the time that takes.
const pidPollMs = 5;
// After SIGKILL a process ends when the kernel has freed its memory.
const killedMsMax = 20_000;
// What runc and crun say when a program cannot be run at all.
const unrunnable = /executable file .*not found|no such file or directory|permission denied|exec format error/i;

/** Pods of several containers: a sandbox that they share, and a container each. */
export class ContainerPods {
  readonly #settings: ContainerPodsSettings;
  readonly #pods = new Map<string, ContainerPod>();

  constructor(settings: ContainerPodsSettings) {
    this.#settings = settings;
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
      const volumes = new PodVolumes(tools.kernel, start.files, launch.plan);
      await volumes.open(start.users?.first ?? 0);
      const pod = this.#podOf({ launch, address: start.address ?? "" }, start);
      await this.#remember(pod);
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
    return this.#exec(this.#runningIn(uid, container), request);
  }

  attach(uid: string, container: string, request: AttachRequest): ContainerProcess {
    return attachTo(this.#runningIn(uid, container), request, this.#settings.tools.kernel);
  }

  /** Gives volumes of files what they hold by now. One that does not run any more has none. */
  async refresh(uid: string, volumes: readonly Volume[]): Promise<void> {
    const pod = this.#pods.get(uid);
    if (pod !== undefined && !pod.stopping) await pod.volumes.refresh(volumes, pod.start.users?.first ?? 0);
  }

  /** Freezes or thaws all containers, and gives each its limits, those too that start later. @throws PodFault */
  async adjust(uid: string, { paused, limits }: PodAdjustment): Promise<void> {
    const pod = this.#pods.get(uid);
    if (pod === undefined || pod.stopping) throw new PodFault("NOT_RUNNING", "the pod does not run");
    const { kernel } = this.#settings.tools;
    for (const limit of limits) {
      const native = pod.running.get(limit.container);
      if (native !== undefined) await resizeContainer(native, limit, kernel);
      pod.limits.set(limit.container, limit);
    }
    await this.#remember(pod);
    for (const native of pod.running.values()) await pauseContainer(native, paused, kernel);
  }

  /** Goes on with a pod of an earlier agent. Undefined: it is none of these, or nothing of it can be gone on with. */
  async takeOver(start: Remains): Promise<RunningPod | undefined> {
    const record = await readLaunch(start.files);
    if (record === undefined || podKey(record.launch.uid) !== start.names.key) return undefined;
    const { tools } = this.#settings;
    const { launch, address } = record;
    const users = tools.machine.shiftsUsers ? await tools.users.find(start.names.key) : undefined;
    await tools.network.join(address, launch.plan.networks ?? []);
    const whole: Start = {
      ...start,
      ...this.#sandboxOf(launch),
      address,
      ...(users === undefined ? {} : { users }),
    };
    const pod = this.#podOf(record, whole);
    return this.#begin(pod, await this.#find(pod));
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

  /** Looks whether a volume has outgrown its bound, and at what limits have refused. */
  async look(): Promise<void> {
    for (const pod of this.#pods.values()) {
      if (pod.stopping) continue;
      const outgrown = await pod.volumes.outgrown();
      if (outgrown !== undefined) void this.#evict(pod, { exitCode: 137, reason: "Evicted", message: outgrown });
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
      hostname: launch.name.slice(0, 63),
      logged: () => undefined,
    };
  }

  /** What the next agent needs to go on with it. */
  async #remember({ launch, files, start, limits }: ContainerPod): Promise<void> {
    const record: LaunchRecord = { launch, address: start.address ?? "", limits: [...limits.values()] };
    await writeFile(`${files.launch}.new`, JSON.stringify(record), { mode: 0o600 });
    await rename(`${files.launch}.new`, files.launch);
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
          const started = pod.starting.then(() => this.#startContainer(pod, { container, restartCount }, signal));
          pod.starting = started.catch(() => undefined);
          return started;
        },
      },
      changed: (views) => observer.containers?.(uid, views),
      noticed: (notice) => observer.noticed(uid, notice),
    });
    const volumes = new PodVolumes(tools.kernel, files, plan);
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
    const { address = "" } = pod.start;
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
      endpoint: { protocol: "http1", host: address, port },
      ip: address,
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

  /** Runs the steps of one container. @throws PodFault */
  async #startContainer(
    pod: ContainerPod,
    { container, restartCount }: { readonly container: ContainerLaunch; readonly restartCount: number },
    signal: AbortSignal,
  ): Promise<ContainerRun> {
    const { tools, observer, clock } = this.#settings;
    const { uid, namespace, name } = pod.launch;
    const key = containerKey(container.name);
    const [other] = pod.running.values();
    const ipcOf = other === undefined ? undefined : await pidOf(other.files);
    const start: Start = {
      ...pod.start,
      launch: {
        ...container,
        limits: { ...container.limits, ...pod.limits.get(container.name) },
        env: withAddress(container.env, pod.start.address),
        namespace,
        name,
        ...(pod.launch.dns === undefined ? {} : { dns: pod.launch.dns }),
        image: nativeOf(container.image),
      },
      names: containerNames(pod.names, key),
      files: this.#filesOf(pod, container),
      logged: (line) => observer.logged(uid, { ...line, container: container.name }),
      part: {
        mounts: await pod.volumes.mountsOf(container),
        streams: container.streams,
        ...(ipcOf === undefined ? {} : { ipcOf }),
      },
    };
    await this.#undo(containerHooks, start);
    try {
      for (const hook of containerHooks) {
        await hook.run(start, tools);
        signal.throwIfAborted();
      }
      const { shim, output } = start;
      if (shim === undefined || output === undefined) throw new Error("no hook launched the container");
      const startedWallMs = clock.wallMs();
      const record = {
        ...{ uid, namespace, name, address: start.address ?? "", port: pod.launch.port },
        memoryBytes: Math.max(memoryBytesMin, start.launch.limits.memoryBytes),
        shimPid: shim.pid,
        shimStart: (await tools.kernel.processStart(shim.pid)) ?? "",
        ...{ startedWallMs, restartCount },
      };
      await writePodRecord(start.files, record);
      await this.#untilMade(start.files, shim.ended);
      const native: NativePod = {
        record,
        names: start.names,
        files: start.files,
        output,
        ended: shim.ended,
        exit: Promise.withResolvers(),
        seen: { oomKills: 0, pidsRefused: 0 },
        streams: container.streams,
      };
      return this.#runOf(pod, { container: container.name, native, startedWallMs });
    } catch (error) {
      await start.output?.[Symbol.asyncDispose]();
      await this.#undo(containerHooks, start).catch(() => undefined);
      throw error instanceof PodFault || signal.aborted
        ? error
        : new PodFault("UNSUPPORTED", `cannot start container ${container.name}: ${describeError(error)}`, {
            cause: error,
          });
    }
  }

  /** Resolves when the container's first process is there, or will not come. */
  async #untilMade(files: PodFiles, ended: Promise<void>): Promise<void> {
    const over = new AbortController();
    void ended.then(() => over.abort());
    while (!over.signal.aborted && (await pidOf(files)) === undefined) await this.#settings.clock.sleep(pidPollMs);
  }

  #runOf(
    pod: ContainerPod,
    one: { readonly container: string; readonly native: NativePod; readonly startedWallMs: number },
  ): ContainerRun {
    const { container, native, startedWallMs } = one;
    const { runtime } = this.#settings.tools;
    pod.running.set(container, native);
    void native.ended.then(() => this.#containerEnded(pod, container, native));
    const ended = native.exit.promise;
    return {
      id: runtime.containerId(native.names),
      address: native.record.address,
      startedWallMs,
      ended,
      stop: async (graceMs) => {
        if (graceMs > 0) {
          await runtime.signal(native.names, "TERM");
          await this.#within(ended, graceMs);
        }
        await runtime.signal(native.names, "KILL");
        await this.#within(ended, killedMsMax);
      },
      exec: (command) => this.#exec(native, { command, terminal: false }),
    };
  }

  /** @throws PodFault NO_CAPACITY when another one has its root */
  #filesOf(pod: ContainerPod, { name, keptRoot }: ContainerLaunch): PodFiles {
    const files = containerFiles(pod.files, containerKey(name));
    if (keptRoot === undefined) return files;
    const others = [...this.#pods.values()].filter(({ running }) => pod.running !== running);
    const holds = ({ launch, running }: ContainerPod): boolean =>
      launch.plan.containers.some((container) => container.keptRoot === keptRoot && running.has(container.name));
    if (others.some(holds))
      throw new PodFault("NO_CAPACITY", `another pod runs on the root ${keptRoot}`, { retryable: true });
    return { ...files, writable: keptRootDirectory(this.#settings.directory, keptRoot) };
  }

  async #containerEnded(pod: ContainerPod, container: string, native: NativePod): Promise<void> {
    const { tools, log, clock } = this.#settings;
    // Without its shim it may still run, and nobody would hear of its end: it shares the shim's fate.
    await tools.runtime.signal(native.names, "KILL").catch(() => undefined);
    await native.output.drained();
    const exit = await this.#explain(native);
    if (pod.running.get(container) === native) pod.running.delete(container);
    const { startedWallMs = clock.wallMs(), restartCount = 0 } = native.record;
    const run = { ...exit, startedWallMs, finishedWallMs: clock.wallMs() };
    // Before its own record goes: an agent that comes in between is to know that it ran.
    await writeContainerEnd(pod.files, containerKey(container), { run, restartCount }).catch((error: unknown) =>
      log.error("a container has ended, and how cannot be written down", error, { container }),
    );
    await this.#undo(containerHooks, native).catch((error: unknown) =>
      log.error("a container has ended, and not all of it could be removed", error, { container }),
    );
    native.exit.resolve(exit);
  }

  async #explain(native: Pick<NativePod, "names" | "files" | "record" | "output">): Promise<PodExit> {
    const { cgroups } = this.#settings.tools.kernel;
    const { names, files, record, output } = native;
    const facts = { names, files, memoryBytes: record.memoryBytes, lastLines: output.lastLines() };
    const exit = await explainExit(facts, cgroups);
    const complaint = exit.exitCode === 0 ? undefined : await runtimeComplaint(files.runtimeLog);
    if (complaint === undefined || !unrunnable.test(complaint)) return exit;
    return { exitCode: 128, reason: "StartError", message: complaint };
  }

  #exec(native: NativePod, request: ExecRequest): Promise<ContainerProcess> {
    const { tools, clock } = this.#settings;
    return startExec(native, request, { runtime: tools.runtime, kernel: tools.kernel, clock });
  }

  #runningIn(uid: string, container: string): NativePod {
    const native = this.#pods.get(uid)?.running.get(container);
    if (native !== undefined) return native;
    throw new PodFault("NOT_RUNNING", `container ${container} does not run`);
  }

  /** Each container that an earlier agent had started: it runs on, or has ended meanwhile. */
  async #find(pod: ContainerPod): Promise<ReadonlyMap<string, FoundContainer>> {
    const found = new Map<string, FoundContainer>();
    for (const container of pod.launch.plan.containers) {
      const one = await this.#findOne(pod, container);
      if (one !== undefined) found.set(container.name, one);
    }
    return found;
  }

  async #findOne(
    pod: ContainerPod,
    { name: container, streams }: ContainerLaunch,
  ): Promise<FoundContainer | undefined> {
    const { tools, clock, observer, watching } = this.#settings;
    const key = containerKey(container);
    const remains: Remains = { names: containerNames(pod.names, key), files: containerFiles(pod.files, key) };
    const record = await readPodRecord(remains.files);
    const end = await readContainerEnd(pod.files, key);
    if (record === undefined && end === undefined) return undefined;
    if (record === undefined || (end !== undefined && end.restartCount === record.restartCount)) {
      // What the earlier agent had not removed yet, or had begun anew.
      await this.#undo(containerHooks, remains);
      return end === undefined ? undefined : { kind: "ended", ...end };
    }
    const { startedWallMs = clock.wallMs(), restartCount = 0 } = record;
    const shimLives = async (): Promise<boolean> =>
      (await tools.kernel.processStart(record.shimPid)) === record.shimStart;
    const output = PodOutput.open(remains.files, clock, {
      logged: (line) => observer.logged(pod.launch.uid, { ...line, container }),
    });
    const native: NativePod = {
      ...remains,
      record,
      output,
      ended: untilGone(shimLives, clock, watching),
      exit: Promise.withResolvers(),
      seen: { oomKills: 0, pidsRefused: 0 },
      streams,
    };
    if (await shimLives()) {
      const run = this.#runOf(pod, { container, native, startedWallMs });
      return { kind: "running", restartCount, run, ...(end === undefined ? {} : { last: end.run }) };
    }
    await this.#containerEnded(pod, container, native);
    const run = { ...(await native.exit.promise), startedWallMs, finishedWallMs: clock.wallMs() };
    return { kind: "ended", run, restartCount };
  }

  /** Everything that a pod of these has left or has, containers first. */
  async #undoAll(remains: Remains): Promise<void> {
    for (const key of await readdir(remains.files.containers).catch(() => [])) {
      await this.#undo(containerHooks, {
        names: containerNames(remains.names, key),
        files: containerFiles(remains.files, key),
      });
    }
    await this.#undo(sandboxHooks, remains);
  }

  async #undo(hooks: readonly StartHook[], { names, files }: Remains): Promise<void> {
    for (const hook of hooks.toReversed()) await hook.undo({ names, files }, this.#settings.tools);
  }

  async #within(done: Promise<unknown>, deadlineMs: number): Promise<void> {
    const stop = new AbortController();
    const deadline = this.#settings.clock.sleep(deadlineMs, stop.signal).catch(() => undefined);
    await Promise.race([done, deadline]);
    stop.abort();
  }
}

function nativeOf(image: PodLaunch["image"]): LocalNativeImage {
  if (image.variant === "native") return image;
  throw new PodFault("UNSUPPORTED", `image ${image.digest} is a ${image.variant} variant; containers need native ones`);
}

const withAddress = (env: ContainerLaunch["env"], address = ""): ContainerLaunch["env"] =>
  env.map(({ name, value }) => ({ name, value: value.replaceAll(podIpToken, address) }));

async function pidOf(files: PodFiles): Promise<number | undefined> {
  const pid = Number(await readFile(files.pidFile, "utf8").catch(() => ""));
  return pid > 0 ? pid : undefined;
}

async function readLaunch(files: PodFiles): Promise<LaunchRecord | undefined> {
  try {
    // Ours: written whole, by a version that knows what it writes.
    return JSON.parse(await readFile(join(files.directory, "launch.json"), "utf8")) as LaunchRecord;
  } catch {
    return undefined;
  }
}
