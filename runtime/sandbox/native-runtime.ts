import { access, mkdir, readdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import {
  type Clock,
  describeError,
  errorCode,
  type Log,
  type Random,
  SingleFlight,
  type Timer,
} from "@shallop/sdk/internal";
import type { LocalImage } from "../image/local-image.ts";
import type { Volume } from "../pod/containers/container-launch.ts";
import type { AttachRequest, ContainerProcess, ExecRequest } from "../pod/container-process.ts";
import {
  type PodAdjustment,
  type PodCounters,
  type PodExit,
  PodFault,
  type PodLaunch,
  type PodObserver,
  type PodRuntime,
  type RunningPod,
} from "../pod/pod-runtime.ts";
import { memoryBytesMin } from "./bundle.ts";
import type { SandboxMachine } from "./features.ts";
import { IdRanges, idRangesDirectory } from "./id-ranges.ts";
import { CgroupTree } from "./kernel/cgroup.ts";
import type { Kernel } from "./kernel/kernel.ts";
import { LinuxKernel } from "./kernel/linux.ts";
import { explainExit, type NativePod, removeFiles, runningPod, untilGone } from "./native-pod.ts";
import { pauseContainer, resizeContainer } from "./adjust.ts";
import { attachTo } from "./attach.ts";
import { ContainerPods, isPlanned } from "./container-pods.ts";
import { startExec } from "./exec.ts";
import type { ClusterNames } from "./name-answer.ts";
import { PodNetwork } from "./network.ts";
import { OciRuntime, runtimeComplaint } from "./oci-runtime.ts";
import { isPodKey, nodeCgroup, nodeKey, podFiles, podKey, podNames } from "./pod-files.ts";
import { PodOutput } from "./pod-output.ts";
import { PodUsers } from "./pod-users.ts";
import { type PodRecord, readPodRecord, writePodRecord } from "./pod-record.ts";
import { untilConnectable } from "./probe.ts";
import { type Remains, type Start, type StartHook, startHooks, type StartTools } from "./start.ts";

export interface NativeRuntimeSettings {
  /** Where the state of this node's native pods is kept; made when missing. */
  readonly directory: string;
  /** From detectFeatures. */
  readonly machine: SandboxMachine;
  readonly observer: PodObserver;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  /** Special addresses that pods reach nevertheless; public ones they reach anyway. */
  readonly egressAllowed?: readonly string[];
  /** Networks that are made ahead, so that no request waits for one; none unless given. */
  readonly sparesMax?: number;
  /** Where nodes of this machine take their pods' subnets from; the default is 10.88.0.0/16. */
  readonly addressRange?: string;
  /** What pods find by names of the cluster. */
  readonly clusterNames?: ClusterNames;
  /** The network of pods is there: `network.gateway` has an address. */
  readonly networkOpened?: () => void;
  /** The steps of a start; tests put a fault between them. */
  readonly hooks?: readonly StartHook[];
}

// Where podman's pods live by habit too; what is routed already is left out.
const defaultAddressRange = "10.88.0.0/16";
// Looks at what limits refused; a person reads the event a moment later.
const limitsLookMs = 2000;
// After SIGKILL a process ends when the kernel has freed its memory; a second a gigabyte is slow already.
const killedMsMax = 20_000;
// Linux names of hosts.
const hostnameLengthMax = 63;

/** Pods that are OCI containers, run by runc or crun. They go on running while no agent looks after them. */
export class NativeRuntime implements PodRuntime, AsyncDisposable {
  readonly variant = "native";
  readonly #settings: NativeRuntimeSettings;
  readonly #kernel: Kernel;
  readonly #network: PodNetwork;
  readonly #runtime: OciRuntime;
  readonly #node: string;
  readonly #podsDirectory: string;
  readonly #hooks: readonly StartHook[];
  readonly #tools: StartTools;
  readonly #pods = new Map<string, NativePod>();
  readonly #starting = new SingleFlight<string, RunningPod>();
  readonly #cancels = new Map<string, AbortController>();
  readonly #watching = new Set<Timer>();
  readonly #containerPods: ContainerPods;
  readonly #limitsTimer: Timer;
  #closed = false;

  private constructor(settings: NativeRuntimeSettings, kernel: Kernel, directory: string) {
    const { clock, log, machine } = settings;
    this.#settings = settings;
    this.#kernel = kernel;
    this.#node = nodeKey(directory);
    this.#podsDirectory = join(directory, "pods");
    this.#hooks = settings.hooks ?? startHooks;
    const range = settings.addressRange ?? defaultAddressRange;
    const { random, egressAllowed: allowed = [], sparesMax = 0 } = settings;
    this.#network = new PodNetwork(kernel, log, {
      directory,
      node: this.#node,
      range,
      allowed,
      sparesMax,
      clusterNames: settings.clusterNames,
      opened: settings.networkOpened,
      clock,
      random,
    });
    this.#runtime = new OciRuntime(kernel, machine.runtime, join(directory, "containers"));
    const { arch, swapLimit, ipv6, shiftsUsers, openFilesMax, cgroups } = machine;
    this.#tools = {
      kernel,
      clock,
      removeFiles,
      network: this.#network,
      users: new PodUsers({
        ranges: new IdRanges(idRangesDirectory, this.#node),
        kernel,
        sparesMax: machine.shiftsUsers ? sparesMax : 0,
        log,
      }),
      runtime: this.#runtime,
      machine: { arch, swapLimit, ipv6, shiftsUsers, openFilesMax, cgroupV2: cgroups.mode === "v2" },
    };
    const { observer } = settings;
    this.#containerPods = new ContainerPods({
      ...{ directory, tools: this.#tools, observer, clock, log, watching: this.#watching },
    });
    this.#limitsTimer = clock.every(limitsLookMs, () => void this.#lookAtLimits());
  }

  /** Call `adopt` next: until then what an earlier run left is not known. */
  static async open(settings: NativeRuntimeSettings): Promise<NativeRuntime> {
    await mkdir(join(settings.directory, "pods"), { recursive: true, mode: 0o700 });
    // One directory has one name, whatever links led to it: bridge, cgroups and containers are named after it.
    const directory = await realpath(settings.directory);
    const kernel = new LinuxKernel(new CgroupTree(settings.machine.cgroups, settings.clock), settings.clock);
    return new NativeRuntime(settings, kernel, directory);
  }

  /** Where Services of the cluster are led. */
  get network(): Pick<PodNetwork, "gateway" | "leadServices"> {
    return this.#network;
  }

  async prepare(image: LocalImage, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (image.variant !== "native") throw notNative(image);
    await this.#network.open();
    this.#tools.users.refill();
  }

  start(launch: PodLaunch, signal: AbortSignal): Promise<RunningPod> {
    const running = this.#pods.get(launch.uid);
    if (running !== undefined && running.stopping === undefined)
      return Promise.resolve(runningPod(running, this.#runtime));
    return this.#starting.run(launch.uid, async () => {
      await running?.stopping?.catch(() => undefined);
      const cancel = new AbortController();
      this.#cancels.set(launch.uid, cancel);
      try {
        return await this.#start(launch, AbortSignal.any([signal, cancel.signal]));
      } finally {
        this.#cancels.delete(launch.uid);
      }
    });
  }

  async stop(uid: string, graceMs: number): Promise<void> {
    const cancel = this.#cancels.get(uid);
    if (cancel !== undefined) {
      cancel.abort(new Error(`pod ${uid} was stopped while it started`));
      await this.#startEnded(uid);
    }
    if (this.#containerPods.has(uid)) return this.#containerPods.stop(uid, graceMs);
    const pod = this.#pods.get(uid);
    if (pod === undefined) return;
    pod.stopping ??= this.#stop(pod, graceMs);
    await pod.stopping;
  }

  async exec(uid: string, container: string, request: ExecRequest): Promise<ContainerProcess> {
    if (this.#containerPods.has(uid)) return this.#containerPods.exec(uid, container, request);
    const pod = this.#pods.get(uid);
    if (pod === undefined || pod.stopping !== undefined)
      throw new PodFault("NOT_RUNNING", "the container does not run");
    return startExec(pod, request, { runtime: this.#runtime, kernel: this.#kernel, clock: this.#settings.clock });
  }

  async attach(uid: string, container: string, request: AttachRequest): Promise<ContainerProcess> {
    if (this.#containerPods.has(uid)) return this.#containerPods.attach(uid, container, request);
    const pod = this.#pods.get(uid);
    if (pod === undefined || pod.stopping !== undefined)
      throw new PodFault("NOT_RUNNING", "the container does not run");
    return attachTo(pod, request, this.#kernel);
  }

  async adjust(uid: string, adjustment: PodAdjustment): Promise<void> {
    if (this.#containerPods.has(uid)) return this.#containerPods.adjust(uid, adjustment);
    const pod = this.#pods.get(uid);
    if (pod === undefined || pod.stopping !== undefined) throw new PodFault("NOT_RUNNING", "the pod does not run");
    const [limit] = adjustment.limits;
    if (limit !== undefined) await resizeContainer(pod, limit, this.#kernel);
    await pauseContainer(pod, adjustment.paused, this.#kernel);
  }

  async refresh(uid: string, volumes: readonly Volume[]): Promise<void> {
    await this.#containerPods.refresh(uid, volumes);
  }

  async counters(): Promise<readonly PodCounters[]> {
    const alone = [...this.#pods.values()].map(async ({ record, names }) => ({
      uid: record.uid,
      network: await this.#kernel.traffic(names.link),
      containers: [await this.#kernel.cgroups.usage(names.runtimeCgroup)],
    }));
    return [...(await Promise.all(alone)), ...(await this.#containerPods.counters())];
  }

  async adopt(): Promise<readonly RunningPod[]> {
    const adopted: RunningPod[] = [];
    for (const key of (await readdir(this.#podsDirectory)).filter(isPodKey)) {
      const remains = { names: podNames(this.#node, key), files: podFiles(this.#podsDirectory, key) };
      if (this.#containerPods.keys.includes(key)) continue;
      const several = await this.#containerPods.takeOver(remains);
      if (several !== undefined) {
        adopted.push(several);
        continue;
      }
      const pod = await this.#takeOver(remains);
      if (pod !== undefined) {
        adopted.push(pod);
        if (pod.ended === undefined) continue;
      }
      this.#settings.log.info("removing what is left of a native pod", { key });
      await this.#undoOrLater(remains);
    }
    const alone = [...this.#pods.values()].map((pod) => pod.names.key);
    const living = new Set([...alone, ...this.#containerPods.keys]);
    // They ask for names, and rules may have gone.
    if (living.size > 0) await this.#network.open();
    await this.#network.sweep(living);
    await this.#tools.users.sweep(living);
    await this.#sweepCgroups(living);
    await this.#closeNetworkIfUnused();
    return adopted;
  }

  /** Lets go of the pods without ending them, and of the bridge when there are none. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#limitsTimer.cancel();
    for (const timer of this.#watching) timer.cancel();
    this.#watching.clear();
    for (const cancel of this.#cancels.values()) cancel.abort(new Error("the node agent is stopping"));
    const starting = [...this.#cancels.keys()].map((uid) => this.#startEnded(uid));
    await Promise.all(starting);
    await this.#containerPods.release();
    for (const pod of this.#pods.values()) await (pod.stopping ?? pod.output[Symbol.asyncDispose]());
    await this.#closeNetworkIfUnused();
    await this.#network[Symbol.asyncDispose]();
    await this.#tools.users.close();
    await this.#kernel.cgroups.removeIfEmpty(nodeCgroup(this.#node));
    await this.#kernel.cgroups.removeIfEmpty("shallop");
    await this.#kernel.close();
  }

  /** Waits for the start under way. How it ended is told to whoever began it; here it matters that it did. */
  async #startEnded(uid: string): Promise<void> {
    await this.#starting.run(uid, () => Promise.reject(new Error("ended"))).catch(() => undefined);
  }

  async #start(launch: PodLaunch, signal: AbortSignal): Promise<RunningPod> {
    const { image } = launch;
    if (image.variant !== "native") throw notNative(image);
    signal.throwIfAborted();
    const key = podKey(launch.uid);
    const start: Start = {
      launch: { ...launch, image },
      names: podNames(this.#node, key),
      files: podFiles(this.#podsDirectory, key),
      hostname: launch.name.slice(0, hostnameLengthMax),
      logged: (line) => this.#settings.observer.logged(launch.uid, line),
    };
    if (isPlanned(launch)) return this.#containerPods.start(launch, start, signal);
    if (await isThere(start.files.directory)) await this.#undo(start);
    const timeout = new AbortController();
    const timer = this.#settings.clock.after(launch.limits.startTimeoutMs, () => timeout.abort(timedOut));
    try {
      for (const hook of this.#hooks) {
        await hook.run(start, this.#tools);
        signal.throwIfAborted();
      }
      const pod = await this.#untilReady(launch, start, AbortSignal.any([signal, timeout.signal]));
      this.#pods.set(launch.uid, pod);
      void pod.ended.then(() => this.#ended(pod));
      return runningPod(pod, this.#runtime);
    } catch (error) {
      await start.output?.[Symbol.asyncDispose]();
      await this.#undoOrLater(start);
      // Who gave it up knows why.
      if (signal.aborted) throw signal.reason;
      throw startFault(launch, error);
    } finally {
      timer.cancel();
    }
  }

  /** @throws PodFault EXITED, START_TIMEOUT, IMAGE_INVALID */
  async #untilReady(launch: PodLaunch, start: Start, signal: AbortSignal): Promise<NativePod> {
    const { names, files, address = "", shim, output } = start;
    if (shim === undefined || output === undefined) throw new Error("no hook launched the container");
    const ended = new AbortController();
    void shim.ended.then(() => ended.abort());
    try {
      await untilConnectable(address, launch.port, this.#settings.clock, AbortSignal.any([signal, ended.signal]));
    } catch (error) {
      const late = signal.aborted && signal.reason === timedOut;
      if (!ended.signal.aborted && !late) throw error;
      await this.#endQuickly(start, shim.ended);
      await output.drained();
      throw ended.signal.aborted && !late ? await this.#earlyExit(launch, start, output) : lateStart(launch, output);
    }
    const shimStart = (await this.#kernel.processStart(shim.pid)) ?? "";
    const { uid, namespace, name, port, limits } = launch;
    const memoryBytes = Math.max(memoryBytesMin, limits.memoryBytes);
    const record: PodRecord = { uid, namespace, name, address, port, memoryBytes, shimPid: shim.pid, shimStart };
    await writePodRecord(files, record);
    return {
      record,
      names,
      files,
      output,
      ended: shim.ended,
      exit: Promise.withResolvers(),
      seen: { oomKills: 0, pidsRefused: 0 },
    };
  }

  async #earlyExit(launch: PodLaunch, { names, files }: Start, output: PodOutput): Promise<PodFault> {
    const memoryBytes = Math.max(memoryBytesMin, launch.limits.memoryBytes);
    const exit = await explainExit({ names, files, memoryBytes, lastLines: output.lastLines() }, this.#kernel.cgroups);
    return earlyExitFault(launch, exit, await runtimeComplaint(files.runtimeLog));
  }

  async #endQuickly(remains: Remains, ended: Promise<void>): Promise<void> {
    await this.#runtime.signal(remains.names, "KILL");
    await this.#within(ended, killedMsMax);
  }

  async #stop(pod: NativePod, graceMs: number): Promise<void> {
    // What is frozen hears no signal.
    await pauseContainer(pod, false, this.#kernel);
    if (graceMs > 0) {
      await this.#runtime.signal(pod.names, "TERM");
      await this.#within(pod.ended, graceMs);
    }
    await this.#endQuickly(pod, pod.ended);
    await this.#explain(pod);
    await this.#forget(pod);
  }

  async #explain(pod: NativePod): Promise<PodExit> {
    await pod.output.drained();
    const facts = { names: pod.names, files: pod.files, memoryBytes: pod.record.memoryBytes };
    const exit = await explainExit({ ...facts, lastLines: pod.output.lastLines() }, this.#kernel.cgroups);
    pod.exit.resolve(exit);
    return exit;
  }

  /** The pod's shim has ended. Tells so, unless somebody wanted it. */
  async #ended(pod: NativePod): Promise<void> {
    if (this.#closed || pod.stopping !== undefined) return;
    const { observer, log } = this.#settings;
    let exit: PodExit | undefined;
    pod.stopping = (async () => {
      // Without its shim it may still run, and nobody would hear of its end: it shares the shim's fate.
      await this.#runtime.signal(pod.names, "KILL");
      exit = await this.#explain(pod);
      await this.#forget(pod);
    })();
    try {
      await pod.stopping;
    } catch (error) {
      log.error("a native pod has ended, and not all of it could be removed", error, { uid: pod.record.uid });
    }
    if (exit !== undefined) observer.exited(pod.record.uid, exit);
  }

  async #forget(pod: NativePod): Promise<void> {
    try {
      await this.#undo(pod);
    } finally {
      this.#pods.delete(pod.record.uid);
    }
  }

  /**
   * Undoes all steps of a start, the last one first. Each is tried whatever became of the others, but for the pod's
   * directory: it stays when something else did, so that the next `adopt` or start of the pod tries again.
   */
  async #undo(remains: Remains): Promise<void> {
    const errors: unknown[] = [];
    for (const hook of this.#hooks.toReversed()) {
      if (errors.length > 0 && hook === this.#hooks[0]) break;
      try {
        await hook.undo(remains, this.#tools);
      } catch (error) {
        const { key } = remains.names;
        this.#settings.log.error(`cannot undo the step ${hook.name} of a native pod`, error, { key });
        errors.push(error);
      }
    }
    if (errors.length === 0) return;
    throw new AggregateError(errors, `native pod ${remains.names.key}: not all of it could be removed`);
  }

  /** As undo, for where something matters more than what is left; that has been logged. */
  async #undoOrLater(remains: Remains): Promise<void> {
    await this.#undo(remains).catch(() => undefined);
  }

  /** A pod of an earlier agent: it runs on, or has ended meanwhile and is to be removed. */
  async #takeOver(remains: Remains): Promise<RunningPod | undefined> {
    const { names, files } = remains;
    const record = await readPodRecord(files);
    if (record === undefined || podKey(record.uid) !== names.key) return undefined;
    const { clock, observer } = this.#settings;
    const shimLives = async (): Promise<boolean> =>
      (await this.#kernel.processStart(record.shimPid)) === record.shimStart;
    const output = PodOutput.open(files, clock, { logged: (line) => observer.logged(record.uid, line) });
    if (!(await shimLives())) {
      await output.drained();
      const facts = { names, files, memoryBytes: record.memoryBytes, lastLines: output.lastLines() };
      return { ...runningPod({ record, names }, this.#runtime), ended: await explainExit(facts, this.#kernel.cgroups) };
    }
    if ((await this.#runtime.status(names)) !== "running") {
      await output[Symbol.asyncDispose]();
      return undefined;
    }
    const ended = untilGone(shimLives, clock, this.#watching);
    const seen = await this.#kernel.cgroups.counters(names.runtimeCgroup);
    const pod: NativePod = { record, names, files, output, ended, exit: Promise.withResolvers(), seen };
    this.#pods.set(record.uid, pod);
    void ended.then(() => this.#ended(pod));
    return runningPod(pod, this.#runtime);
  }

  /** Removes cgroups of pods whose directory is gone already; those of others beside them stay. */
  async #sweepCgroups(living: ReadonlySet<string>): Promise<void> {
    const { cgroups } = this.#kernel;
    const parent = nodeCgroup(this.#node);
    const dead = (await cgroups.children(parent)).filter((name) => isPodKey(name) && !living.has(name));
    for (const name of dead) await cgroups.remove(`${parent}/${name}`);
  }

  async #lookAtLimits(): Promise<void> {
    await this.#containerPods.look();
    for (const pod of this.#pods.values()) {
      if (pod.stopping !== undefined) continue;
      const now = await this.#kernel.cgroups.counters(pod.names.runtimeCgroup);
      const notice = (reason: string, message: string): void =>
        this.#settings.observer.noticed(pod.record.uid, { type: "Warning", reason, message });
      if (now.oomKills > pod.seen.oomKills) {
        notice(
          "OOMKilling",
          `A process of the pod was killed: its memory limit of ${pod.record.memoryBytes} bytes was reached.`,
        );
      }
      if (now.pidsRefused > pod.seen.pidsRefused) {
        notice("PidsLimit", "The pod could not start a process or thread: its limit of processes was reached.");
      }
      pod.seen = now;
    }
  }

  async #closeNetworkIfUnused(): Promise<void> {
    if (this.#pods.size + this.#containerPods.keys.length === 0) await this.#network.close();
  }

  /** True when `done` resolved in time. */
  async #within(done: Promise<void>, deadlineMs: number): Promise<boolean> {
    const stop = new AbortController();
    const deadline = this.#settings.clock.sleep(deadlineMs, stop.signal).then(
      () => false,
      () => false,
    );
    const first = await Promise.race([done.then(() => true), deadline]);
    stop.abort();
    return first;
  }
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** The reason by which a wait for readiness ends when it was too long. */
const timedOut = new Error("the pod was not ready in time");

const notNative = (image: LocalImage): PodFault =>
  new PodFault(
    "UNSUPPORTED",
    `image ${image.digest} is a ${image.variant} variant; only native ones run as containers`,
  );

const titleOf = (launch: PodLaunch): string => `${launch.namespace}/${launch.name}`;

function lateStart(launch: PodLaunch, output: PodOutput): PodFault {
  const lines = output.lastLines();
  const said = lines === "" ? "It has written nothing." : `Its last lines: ${lines}`;
  const message = `${titleOf(launch)} does not listen on port ${launch.port} after ${launch.limits.startTimeoutMs} ms. ${said}`;
  return new PodFault("START_TIMEOUT", message);
}

// What runc and crun say when a program cannot be run at all: it is not there, not executable, not for this machine.
const unrunnable =
  /executable file .*not found|no such file or directory|permission denied|exec format error|not a directory/i;

function earlyExitFault(launch: PodLaunch, exit: PodExit, complaint: string | undefined): PodFault {
  if (complaint !== undefined && unrunnable.test(complaint)) {
    return new PodFault("IMAGE_INVALID", `${titleOf(launch)} cannot run image ${launch.image.digest}: ${complaint}`);
  }
  const message = `${titleOf(launch)} ended before it listened on port ${launch.port}: ${exit.reason}, exit code ${exit.exitCode}. ${exit.message}`;
  return new PodFault("EXITED", message.trim());
}

function startFault(launch: PodLaunch, error: unknown): PodFault {
  if (error instanceof PodFault) return error;
  const code = errorCode(error);
  const reason = `cannot start ${titleOf(launch)} natively: ${describeError(error)}`;
  if (code === "ENOSPC" || code === "EMFILE" || code === "ENOMEM") {
    return new PodFault("NO_CAPACITY", reason, { cause: error, retryable: true });
  }
  return new PodFault("UNSUPPORTED", reason, { cause: error });
}
