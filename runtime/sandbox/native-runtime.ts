import { access, mkdir, readdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import {
  type Clock,
  describeError,
  type Log,
  type Random,
  SingleFlight,
  type Timer,
  whenOutOfTime,
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
import type { SandboxMachine } from "./features.ts";
import { IdRanges, idRangesDirectory } from "./id-ranges.ts";
import { CgroupTree } from "./kernel/cgroup.ts";
import type { Kernel } from "./kernel/kernel.ts";
import { LinuxKernel } from "./kernel/linux.ts";
import { explainExit, type NativePod, removeFiles, runningPod, untilGone } from "./native-pod.ts";
import { pauseContainer, resizeContainer } from "./adjust.ts";
import { attachTo } from "./attach.ts";
import { ContainerPods } from "./container-pods.ts";
import { startExec } from "./exec.ts";
import { isPlanned } from "./launch-record.ts";
import { DiskLooks, outgrownRoot } from "./disk-looks.ts";
import { noticeRefusals } from "./limit-notices.ts";
import type { ClusterNames } from "./name-answer.ts";
import { PodNetwork } from "./network.ts";
import { OciRuntime } from "./oci-runtime.ts";
import { isPodKey, machineCgroup, nodeCgroup, nodeKey, podFiles, podKey, podNames } from "./pod-files.ts";
import { PodOutput } from "./pod-output.ts";
import { PodUsers } from "./pod-users.ts";
import { readPodRecord } from "./pod-record.ts";
import { endProgram } from "./program-end.ts";
import { timedOut, untilReady } from "./readiness.ts";
import { type Remains, type Start, type StartHook, startHooks, type StartTools } from "./start.ts";
import { notNative, startFault } from "./start-fault.ts";
import { StartSteps } from "./start-steps.ts";
import { untilUnused } from "./traffic.ts";

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
  /** Pods go out by the node's proxy alone, as where nft cannot be used. */
  readonly proxyAlone?: boolean;
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
// Linux names of hosts.
const hostnameLengthMax = 63;

// As the kubelet has it for a program whose whole grace others have used up.
const endMsMin = 2_000;
// A program that no signal ends has nobody to answer by then, and holds memory.
const endMsMax = 30_000;

/** How long a program may take to end itself when requests have used some of its grace. */
const endMsOf = (graceMs: number, usedMs: number): number =>
  graceMs === 0 ? 0 : Math.min(endMsMax, Math.max(endMsMin, graceMs - usedMs));

/** Pods that are OCI containers, run by runc or crun. They go on running while no agent looks after them. */
export class NativeRuntime implements PodRuntime, AsyncDisposable {
  readonly variant = "native";
  readonly #settings: NativeRuntimeSettings;
  readonly #kernel: Kernel;
  readonly #network: PodNetwork;
  readonly #runtime: OciRuntime;
  readonly #node: string;
  readonly #podsDirectory: string;
  readonly #tools: StartTools;
  readonly #steps: StartSteps;
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
    const range = settings.addressRange ?? defaultAddressRange;
    const { random, egressAllowed: allowed = [], sparesMax = 0 } = settings;
    this.#network = new PodNetwork(kernel, log, {
      directory,
      node: this.#node,
      range,
      allowed,
      sparesMax,
      isApart: machine.rootless !== undefined,
      gate: machine.rootless?.gate,
      proxyAlone: settings.proxyAlone === true,
      clusterNames: settings.clusterNames,
      opened: settings.networkOpened,
      clock,
      random,
    });
    this.#runtime = new OciRuntime(
      kernel,
      machine.runtime,
      join(directory, "containers"),
      machine.rootless?.hasCgroups ?? true,
    );
    const { arch, swapLimit, ipv6, shiftsUsers, openFilesMax, cgroups, rootless } = machine;
    this.#tools = {
      kernel,
      clock,
      removeFiles: (files) => removeFiles(files, kernel),
      network: this.#network,
      users: new PodUsers({
        ranges: new IdRanges(idRangesDirectory, this.#node),
        kernel,
        sparesMax: machine.shiftsUsers ? sparesMax : 0,
        log,
      }),
      runtime: this.#runtime,
      machine: {
        ...{ arch, swapLimit, ipv6, shiftsUsers, openFilesMax, cgroupV2: cgroups.mode === "v2" },
        ...(rootless === undefined ? {} : { rootless }),
      },
    };
    const { observer, hooks = startHooks } = settings;
    this.#steps = new StartSteps(hooks, this.#tools, log);
    this.#containerPods = new ContainerPods({
      ...{ directory, tools: this.#tools, observer, clock, log, watching: this.#watching },
    });
    const disks = new DiskLooks(clock);
    this.#limitsTimer = clock.every(limitsLookMs, () => {
      Promise.all([this.#lookAtLimits(), disks.run(() => this.#lookAtDisks())]).catch((error: unknown) => {
        log.warn("what pods use cannot be looked at", { error: describeError(error) });
      });
    });
  }

  /** Call `adopt` next: until then what an earlier run left is not known. */
  static async open(settings: NativeRuntimeSettings): Promise<NativeRuntime> {
    await mkdir(join(settings.directory, "pods"), { recursive: true, mode: 0o700 });
    // One directory has one name, whatever links led to it: bridge, cgroups and containers are named after it.
    const directory = await realpath(settings.directory);
    const { clock, machine } = settings;
    const kernel = new LinuxKernel(new CgroupTree(machine.cgroups, clock), clock, machine.rootless);
    return new NativeRuntime(settings, kernel, directory);
  }

  /** Where Services of the cluster are led. */
  get network(): Pick<PodNetwork, "gateway" | "leadServices" | "isApart" | "boundSocket" | "leadProxy" | "meetGuests"> {
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
    if (running !== undefined && running.stopping === undefined) return Promise.resolve(this.#running(running));
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
      await this.#steps.undoOrLater(remains);
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
    await this.#kernel.cgroups.removeIfEmpty(machineCgroup);
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
      hostname: (launch.hostname ?? launch.name).slice(0, hostnameLengthMax),
      logged: (line) => this.#settings.observer.logged(launch.uid, line),
      noticed: (notice) => this.#settings.observer.noticed(launch.uid, notice),
    };
    if (isPlanned(launch)) return this.#containerPods.start(launch, start, signal);
    if (await isThere(start.files.directory)) await this.#steps.undo(start);
    const timeout = new AbortController();
    const timer = this.#patience(start, () => timeout.abort(timedOut));
    try {
      await this.#steps.run(start, signal);
      const pod = await untilReady(launch, start, {
        tools: this.#tools,
        signal: AbortSignal.any([signal, timeout.signal]),
      });
      this.#pods.set(launch.uid, pod);
      void pod.ended.then(() => this.#ended(pod));
      return this.#running(pod);
    } catch (error) {
      await start.output?.[Symbol.asyncDispose]();
      await this.#steps.undoOrLater(start);
      // Who gave it up knows why.
      if (signal.aborted) throw signal.reason;
      throw startFault(launch, error);
    } finally {
      timer.cancel();
    }
  }

  /** One whose program gets on, and is only starved by others, has longer than its time. */
  #patience({ launch, names }: Start, over: () => void): Timer {
    const { clock } = this.#settings;
    const { cgroups } = this.#kernel;
    const usedMs = async (): Promise<number> => (await cgroups.usage(names.cgroup)).cpuNs / 1e6;
    return whenOutOfTime({ clock, timeoutMs: launch.limits.startTimeoutMs, usedMs }, over);
  }

  async #stop(pod: NativePod, graceMs: number): Promise<void> {
    // What is frozen hears no signal.
    await pauseContainer(pod, false, this.#kernel);
    const { clock } = this.#settings;
    const beganMs = clock.nowMs();
    const unused = untilUnused({ files: pod.files, port: pod.record.port }, graceMs, clock);
    if (graceMs > 0) await Promise.race([unused, pod.ended]);
    await endProgram(pod, endMsOf(graceMs, clock.nowMs() - beganMs), this.#tools);
    await this.#explain(pod);
    await this.#forget(pod);
  }

  async #explain(pod: NativePod): Promise<PodExit> {
    await pod.output.drained();
    const exit = await explainExit({ ...pod, lastLines: pod.output.lastLines() }, this.#kernel.cgroups);
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
      await this.#steps.undo(pod);
    } finally {
      this.#pods.delete(pod.record.uid);
    }
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
      return { ...this.#running({ record, names }), ended: await explainExit(facts, this.#kernel.cgroups) };
    }
    if ((await this.#runtime.status(names)) !== "running") {
      await output[Symbol.asyncDispose]();
      return undefined;
    }
    const ended = untilGone(shimLives, clock, this.#watching);
    const seen = await this.#kernel.cgroups.counters(names.runtimeCgroup);
    const { memoryBytes } = record;
    const pod: NativePod = { record, names, files, output, ended, exit: Promise.withResolvers(), memoryBytes, seen };
    this.#pods.set(record.uid, pod);
    this.#network.belongs(record.address, record);
    void ended.then(() => this.#ended(pod));
    return this.#running(pod);
  }

  #running(pod: Pick<NativePod, "record" | "names">): RunningPod {
    return runningPod(pod, this.#runtime, this.#settings.machine.rootless?.gate);
  }

  /** Removes cgroups of pods whose directory is gone already; those of others beside them stay. */
  async #sweepCgroups(living: ReadonlySet<string>): Promise<void> {
    const { cgroups } = this.#kernel;
    const parent = nodeCgroup(this.#node);
    const dead = (await cgroups.children(parent)).filter((name) => isPodKey(name) && !living.has(name));
    for (const name of dead) await cgroups.remove(`${parent}/${name}`);
  }

  async #lookAtLimits(): Promise<void> {
    const { observer } = this.#settings;
    const { cgroups } = this.#kernel;
    await this.#containerPods.look();
    for (const pod of this.#pods.values()) {
      if (pod.stopping === undefined) await noticeRefusals(pod, { cgroups, observer });
    }
  }

  async #lookAtDisks(): Promise<void> {
    await this.#containerPods.lookAtDisks();
    const { observer } = this.#settings;
    for (const pod of this.#pods.values()) {
      const message = pod.stopping === undefined ? await outgrownRoot(pod, this.#kernel) : undefined;
      if (message === undefined) continue;
      const { uid } = pod.record;
      observer.noticed(uid, { type: "Warning", reason: "Evicted", message });
      await this.stop(uid, 0);
      observer.exited(uid, { exitCode: 137, reason: "Evicted", message });
    }
  }

  async #closeNetworkIfUnused(): Promise<void> {
    if (this.#pods.size + this.#containerPods.keys.length === 0) await this.#network.close();
  }
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
