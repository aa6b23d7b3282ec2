import { readFile } from "node:fs/promises";
import { type Clock, describeError, type Log, type Timer } from "@shallop/sdk/internal";
import type { LocalNativeImage } from "../image/local-image.ts";
import type { ContainerProcess, ExecRequest } from "../pod/container-process.ts";
import { type ContainerLaunch, podIpToken } from "../pod/containers/container-launch.ts";
import type { ContainerRun, FoundContainer } from "../pod/containers/container-run.ts";
import { type PodExit, PodFault, type PodLaunch, type PodObserver } from "../pod/pod-runtime.ts";
import { memoryBytesMin } from "./bundle.ts";
import { readContainerEnd, writeContainerEnd } from "./container-end.ts";
import type { ContainerPod } from "./container-pod.ts";
import { startExec } from "./exec.ts";
import { noticeRefusals } from "./limit-notices.ts";
import { explainExit, type NativePod, untilGone } from "./native-pod.ts";
import { runtimeComplaint } from "./oci-runtime.ts";
import { containerFiles, containerKey, containerNames, keptRootDirectory, type PodFiles } from "./pod-files.ts";
import { PodOutput } from "./pod-output.ts";
import { askedOf, type PodRecord, readPodRecord, writePodRecord } from "./pod-record.ts";
import { endProgram } from "./program-end.ts";
import { isUnrunnable } from "./start-fault.ts";
import { containerHooks, type Remains, type Start, type StartTools } from "./start.ts";

export interface ContainerRunsSettings {
  /** Of the node's native pods. */
  readonly directory: string;
  readonly tools: StartTools;
  readonly observer: PodObserver;
  readonly clock: Clock;
  readonly log: Log;
  /** Timers that are to be cancelled when the agent ends. */
  readonly watching: Set<Timer>;
  /** All pods of several containers of the node: two of them do not run on one root. */
  readonly pods: ReadonlyMap<string, ContainerPod>;
}

// The runtime writes the process's id as soon as it has made it; a tenth of the time that takes.
const pidPollMs = 5;

/** Runs of the containers of pods whose sandbox is there: begun, found again after a restart of the agent, and ended. */
export class ContainerRuns {
  readonly #settings: ContainerRunsSettings;

  constructor(settings: ContainerRunsSettings) {
    this.#settings = settings;
  }

  /** Runs the steps of one container. @throws PodFault */
  async start(
    pod: ContainerPod,
    { container, restartCount }: { readonly container: ContainerLaunch; readonly restartCount: number },
    signal: AbortSignal,
  ): Promise<ContainerRun> {
    const { tools, observer, clock } = this.#settings;
    const { uid, namespace, name } = pod.launch;
    const { cpus } = pod.launch.shares ?? {};
    const [other] = pod.running.values();
    const ipcOf = other === undefined ? undefined : await pidOf(other.files);
    const start: Start = {
      ...pod.start,
      launch: {
        ...container,
        limits: { ...container.limits, ...pod.limits.get(container.name) },
        env: withAddress(container.env, pod.start.address),
        ...{ uid, namespace },
        name,
        ...namesOf(pod.launch),
        // What is beside other pods is the pod's own cgroup's.
        ...(cpus === undefined ? {} : { shares: { cpus } }),
        image: nativeOf(container.image),
      },
      names: containerNames(pod.names, containerKey(container.name)),
      files: this.#filesOf(pod, container),
      logged: (line) => observer.logged(uid, { ...line, container: container.name }),
      part: {
        mounts: await pod.volumes.mountsOf(container),
        streams: container.streams,
        isAlone: pod.launch.plan.isAlone === true,
        ...(ipcOf === undefined ? {} : { ipcOf }),
      },
    };
    await this.undo(start);
    try {
      for (const hook of containerHooks) {
        await hook.run(start, tools);
        signal.throwIfAborted();
      }
      const { shim, output } = start;
      if (shim === undefined || output === undefined) throw new Error("no hook launched the container");
      const startedWallMs = clock.wallMs();
      const shimStart = (await tools.kernel.processStart(shim.pid)) ?? "";
      const record = recordOf(pod, start, { shimPid: shim.pid, shimStart, startedWallMs, restartCount });
      await writePodRecord(start.files, record);
      await this.#untilMade(start.files, shim.ended);
      const native: NativePod = {
        record,
        names: start.names,
        files: start.files,
        output,
        ended: shim.ended,
        exit: Promise.withResolvers(),
        memoryBytes: record.memoryBytes,
        seen: { oomKills: 0, pidsRefused: 0 },
        streams: container.streams,
      };
      return this.#runOf(pod, { container: container.name, native, startedWallMs });
    } catch (error) {
      await start.output?.[Symbol.asyncDispose]();
      await this.undo(start).catch(() => undefined);
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
    const { runtime, clock } = this.#settings.tools;
    pod.running.set(container, native);
    void native.ended.then(() => this.#containerEnded(pod, container, native));
    const ended = native.exit.promise;
    return {
      id: runtime.containerId(native.names),
      address: native.record.address,
      startedWallMs,
      ended,
      stop: (graceMs) => endProgram(native, graceMs, { runtime, clock }),
      exec: (command) => this.exec(native, { command, terminal: false }),
    };
  }

  /** @throws PodFault NO_CAPACITY when another one has its root */
  #filesOf(pod: ContainerPod, { name, keptRoot }: ContainerLaunch): PodFiles {
    const files = containerFiles(pod.files, containerKey(name));
    if (keptRoot === undefined) return files;
    const others = [...this.#settings.pods.values()].filter(({ running }) => pod.running !== running);
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
    // An end by the memory limit is told as such; what else was refused since the last look would go with the cgroup.
    if (exit.reason !== "OOMKilled") {
      await noticeRefusals(native, { cgroups: tools.kernel.cgroups, observer: this.#settings.observer, container });
    }
    if (pod.running.get(container) === native) pod.running.delete(container);
    const { startedWallMs = clock.wallMs(), restartCount = 0 } = native.record;
    const run = { ...exit, startedWallMs, finishedWallMs: clock.wallMs() };
    // Before its own record goes: an agent that comes in between is to know that it ran.
    await writeContainerEnd(pod.files, containerKey(container), { run, restartCount }).catch((error: unknown) =>
      log.error("a container has ended, and how cannot be written down", error, { container }),
    );
    await this.undo(native).catch((error: unknown) =>
      log.error("a container has ended, and not all of it could be removed", error, { container }),
    );
    native.exit.resolve(exit);
  }

  async #explain(native: NativePod): Promise<PodExit> {
    const exit = await explainExit(
      { ...native, lastLines: native.output.lastLines() },
      this.#settings.tools.kernel.cgroups,
    );
    const complaint = exit.exitCode === 0 ? undefined : await runtimeComplaint(native.files.runtimeLog);
    if (!isUnrunnable(complaint)) return exit;
    return { exitCode: 128, reason: "StartError", message: complaint };
  }

  exec(native: NativePod, request: ExecRequest): Promise<ContainerProcess> {
    const { tools, clock } = this.#settings;
    return startExec(native, request, { runtime: tools.runtime, kernel: tools.kernel, clock });
  }

  /** Each container that an earlier agent had started: it runs on, or has ended meanwhile. */
  async find(pod: ContainerPod): Promise<ReadonlyMap<string, FoundContainer>> {
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
      await this.undo(remains);
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
      memoryBytes: Math.max(memoryBytesMin, pod.limits.get(container)?.memoryBytes ?? record.memoryBytes),
      seen: await tools.kernel.cgroups.counters(remains.names.runtimeCgroup),
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

  /** Removes what one container has left or has. */
  async undo({ names, files }: Remains): Promise<void> {
    for (const hook of containerHooks.toReversed()) await hook.undo({ names, files }, this.#settings.tools);
  }
}

function recordOf(
  { launch: { uid, namespace, name, port } }: ContainerPod,
  { address = "", launch }: Start,
  run: Pick<PodRecord, "shimPid" | "shimStart" | "startedWallMs" | "restartCount">,
): PodRecord {
  return {
    ...{ uid, namespace, name, address, port, ...run },
    memoryBytes: Math.max(memoryBytesMin, launch.limits.memoryBytes),
    ...askedOf(launch),
  };
}

/** @throws PodFault UNSUPPORTED */
export function nativeOf(image: PodLaunch["image"]): LocalNativeImage {
  if (image.variant === "native") return image;
  throw new PodFault("UNSUPPORTED", `image ${image.digest} is a ${image.variant} variant; containers need native ones`);
}

const withAddress = (env: ContainerLaunch["env"], address = ""): ContainerLaunch["env"] =>
  env.map(({ name, value }) => ({ name, value: value.replaceAll(podIpToken, address) }));

async function pidOf(files: PodFiles): Promise<number | undefined> {
  const pid = Number(await readFile(files.pidFile, "utf8").catch(() => ""));
  return pid > 0 ? pid : undefined;
}

/** How its containers find names: what all of them have of their pod. */
const namesOf = ({ dns, hosts }: PodLaunch): Pick<PodLaunch, "dns" | "hosts"> => ({
  ...(dns === undefined ? {} : { dns }),
  ...(hosts === undefined ? {} : { hosts }),
});
